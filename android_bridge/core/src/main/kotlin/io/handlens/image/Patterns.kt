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
     * @param channels 3 for RGB, 1 for luma.
     * @throws OptionError unknown pattern.
     */
    @JvmStatic
    public fun generate(generator: String, seed: Long, height: Int, width: Int, channels: Int): RgbImage =
        TODO("$generator $seed $height $width $channels")
}
