package io.handlens.decode

import io.handlens.ManifestInvalid
import io.handlens.artifact.Fields
import io.handlens.artifact.JsonBoolean
import io.handlens.artifact.JsonValue
import io.handlens.artifact.Manifest
import io.handlens.artifact.OutputSpec
import io.handlens.task.Attribute

/**
 * From the logits of heads to labels: what a manifest's `decoding` of kind `heads` says. Not thread-safe.
 *
 * @throws ManifestInvalid the decoding does not name a label for each logit of each output.
 */
internal class HeadReader(manifest: Manifest) {
    private val fields = Fields(manifest.decoding, "manifest.decoding", "kind labels", "mirror")

    /** Whether the logits are the mean of those of the crop and of its mirror. */
    val mirror: Boolean = "mirror" in fields && flag(fields.value("mirror"))

    /** Head to its labels, in the order of its logits; heads in the model's order. */
    val labels: Map<String, List<String>> = matched(manifest)

    private val logits = labels.mapValues { DoubleArray(it.value.size) }
    private var views = 0

    /** Forgets the views of the last crop. */
    fun start() {
        views = 0
        for (sums in logits.values) sums.fill(0.0)
    }

    /** Adds the logits of a view. */
    fun add(outputs: Outputs) {
        views++
        for ((head, sums) in logits) {
            val values = outputs[head]
            for (index in sums.indices) sums[index] += values[index].toDouble()
        }
    }

    /** The first head with a logit that is not finite; null where all are finite. */
    fun wrong(): String? = logits.entries.firstOrNull { (_, sums) -> sums.any { !it.isFinite() } }?.key

    /** The answer of each head, from the mean of the views. */
    fun read(): Map<String, Attribute> = labels.mapValues { (head, names) ->
        val means = logits.getValue(head).map { it / views }.toDoubleArray()
        // Of equal logits the first is the answer, before rounding makes others equal.
        val best = argmax(means, 0, means.size)
        softmax(means, 0, means.size)
        Attribute(names[best], means[best], names.indices.associate { names[it] to means[it] })
    }

    private fun matched(manifest: Manifest): Map<String, List<String>> {
        fields.word("kind", listOf("heads"))
        val given = Fields.map(fields.value("labels"), fields.place("labels")) { labels, where ->
            Fields.list(labels, where) { label, place -> Fields.text(label, place) }
        }
        if (given.keys != manifest.outputs.map { it.name }.toSet()) {
            throw ManifestInvalid(
                "decoding.labels names ${given.keys.joinToString().ifEmpty { "no head" }}; the outputs are " +
                    manifest.outputs.joinToString { it.name },
            )
        }
        return manifest.outputs.associate { it.name to fitting(it, given.getValue(it.name)) }
    }

    private fun flag(value: JsonValue): Boolean = (value as? JsonBoolean)?.value
        ?: throw ManifestInvalid("manifest.decoding.mirror is $value; expected true or false")

    private fun fitting(output: OutputSpec, labels: List<String>): List<String> {
        if (output.elements == labels.size && labels.toSet().size == labels.size) return labels
        throw ManifestInvalid(
            "decoding.labels.${output.name} has ${labels.size} labels, output ${output.name} has shape " +
                "${output.shape}; expected one label a logit, each once",
        )
    }
}
