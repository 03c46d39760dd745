package io.handlens.artifact

/**
 * One input and the outputs that the model must give for it.
 *
 * @property generator name of the input's pattern; see [io.handlens.image.Patterns].
 * @property seed of the pattern, 0..2^53.
 * @property inputSha256 of the pre-processed tensor's bytes (C order, little endian), 64 hex digits.
 * @property outputs by name.
 */
public class Golden internal constructor(
    public val generator: String,
    public val seed: Long,
    public val inputSha256: String,
    public val outputs: Map<String, GoldenValues>,
)

/**
 * The recorded values of an output: float32, dequantized, C order.
 *
 * @property shape the output's own, with the batch of 1 in front; or (m) for every k-th value of a large output.
 */
public class GoldenValues internal constructor(public val shape: List<Int>, private val values: FloatArray) {
    /** How many values there are. */
    public val size: Int get() = values.size

    /** A value, by its place in C order. */
    public operator fun get(index: Int): Float = values[index]
}
