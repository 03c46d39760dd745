package io.handlens.image

import io.handlens.OptionError

/** Procedural images for golden inputs: integer arithmetic and SplitMix64 only, the same bytes in every language. */
public object Patterns {
    /** The names of the patterns. */
    @JvmField
    public val NAMES: List<String> = listOf("gradient", "stripes", "noise", "blobs", "figure", "face")

    /**
     * Draws a pattern.
     *
     * @param generator one of [NAMES].
     * @param seed 0..2^53.
     * @param height in pixels, 1 or more.
     * @param width in pixels, 1 or more.
     * @param channels 3 for RGB, 1 for luma.
     * @throws OptionError unknown pattern.
     */
    @JvmStatic
    public fun generate(generator: String, seed: Long, height: Int, width: Int, channels: Int): RgbImage {
        val canvas = Canvas(Draws(seed), height, width)
        when (generator) {
            "gradient" -> canvas.gradient()
            "stripes" -> canvas.stripes()
            "noise" -> canvas.noise()
            "blobs" -> canvas.blobs()
            "figure" -> canvas.figure()
            "face" -> canvas.face()
            else -> throw OptionError("pattern '$generator' is unknown; valid: ${NAMES.joinToString()}")
        }
        return RgbImage(canvas.bytes(channels), width, height, channels)
    }
}

/** The stream of numbers for one image: SplitMix64 (Steele, Lea, Flood 2014). */
internal class Draws(private var state: Long) {
    /** The next number, 0 <= n < bound. */
    fun below(bound: Int): Int {
        state += -0x61C8864680B583EBL // 0x9E3779B97F4A7C15
        var z = state
        z = (z xor (z ushr 30)) * -0x40A7B892E31B1A47L // 0xBF58476D1CE4E5B9
        z = (z xor (z ushr 27)) * -0x6B2FB644ECCEEE15L // 0x94D049BB133111EB
        return (((z xor (z ushr 31)) ushr 33) % bound).toInt()
    }

    /** The next number, low <= n <= high. */
    fun between(low: Int, high: Int): Int = low + below(high - low + 1)

    /** The next three numbers as a colour, each low <= n <= high. */
    fun colour(low: Int = 0, high: Int = 255): IntArray = IntArray(3) { between(low, high) }
}
