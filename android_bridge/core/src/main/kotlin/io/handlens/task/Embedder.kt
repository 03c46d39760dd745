package io.handlens.task

import io.handlens.EngineWrong
import io.handlens.InputError
import io.handlens.engine.Session
import kotlin.math.sqrt

/** A model whose one output is an embedding: what people and faces share. */
public sealed class Embedder(session: Session) : Task(session) {
    private val embedding = onlyOutput(session.manifest, "the embedding")

    /** Numbers in a template. */
    public val dimension: Int = embedding.elements

    /**
     * How alike two templates are: their cosine similarity, -1..1. It allocates nothing.
     *
     * @throws InputError a template has not [dimension] numbers, or is zero or not finite.
     */
    public fun compare(first: FloatArray, second: FloatArray): Double = similarity(first, second, dimension)

    /** Normalises the last run's answer to a length of 1, in float64. */
    internal fun template(into: FloatArray) {
        if (into.size != dimension) throw InputError("the template has ${into.size} numbers; expected $dimension")
        val values = outputs[embedding.name]
        val length = length(values)
        if (!length.isFinite() || length == 0.0) {
            throw EngineWrong("the embedding is zero or not finite on $engine; use another engine for ${manifest.name}")
        }
        for (index in values.indices) into[index] = (values[index] / length).toFloat()
    }
}

/** The cosine of two templates of [dimension] numbers, in float64, -1..1; see [Embedder.compare]. */
internal fun similarity(first: FloatArray, second: FloatArray, dimension: Int): Double {
    val one = usable(first, dimension)
    val other = usable(second, dimension)
    var sum = 0.0
    for (index in first.indices) sum += first[index] / one * (second[index] / other)
    return sum.coerceIn(-1.0, 1.0)
}

private fun usable(values: FloatArray, dimension: Int): Double {
    val length = length(values)
    if (values.size != dimension || !length.isFinite() || length == 0.0) {
        throw InputError(
            "a template has ${values.size} numbers and length $length; expected $dimension numbers that are finite " +
                "and not all zero, as embed returns them",
        )
    }
    return length
}

private fun length(values: FloatArray): Double {
    var square = 0.0
    for (value in values) square += value.toDouble() * value
    return sqrt(square)
}
