package io.handlens.task

import io.handlens.OptionError
import io.handlens.image.Region

/**
 * What a segmenter says of an image; the sizes are the image's own, upright.
 *
 * @property width of the image, in pixels.
 * @property height of the image, in pixels.
 * @property alpha probability of foreground * 255 as unsigned bytes, (height, width), row by row.
 * @property labels the class of each pixel of [mask] as an unsigned byte, an index into [names], row by row; 0, the
 *   background, everywhere else. Null where the model tells no classes of pixels.
 * @property names of the values of [labels], the background first; empty where the model does not name them.
 * @property className of the image as a whole; null where the model does not tell.
 * @property confidence in [className], 0..1; null where there is none.
 */
public class Segmentation internal constructor(
    public val width: Int,
    public val height: Int,
    public val alpha: ByteArray,
    public val labels: ByteArray?,
    public val names: List<String>,
    public val className: String?,
    public val confidence: Double?,
) {
    /**
     * Foreground, (height, width), row by row: where the probability, in steps of 1/255, is [threshold] or more.
     *
     * @param threshold 0..1.
     * @throws OptionError the threshold is out of range.
     */
    @JvmOverloads
    public fun mask(threshold: Double = HALF): BooleanArray {
        if (threshold !in 0.0..1.0) throw OptionError("threshold is $threshold; valid: 0 to 1")
        val limit = threshold * BYTE
        return BooleanArray(alpha.size) { (alpha[it].toInt() and BYTE) >= limit }
    }

    /** The rectangle around [mask], in pixels of the image; null where the mask is empty. */
    public val box: Region? by lazy(LazyThreadSafetyMode.PUBLICATION) {
        var left = width
        var right = -1
        var top = height
        var bottom = -1
        for (index in alpha.indices) {
            if (!foreground(index)) continue
            val row = index / width
            val column = index % width
            left = minOf(left, column)
            right = maxOf(right, column)
            top = minOf(top, row)
            bottom = row
        }
        if (bottom < 0) null else Region(left, top, right - left + 1, bottom - top + 1)
    }

    /** Each class's share of the image, 0..1, by name, those that occur alone; `foreground` without classes. */
    public fun areas(): Map<String, Double> {
        val counts = IntArray(BYTE + 1)
        for (index in alpha.indices) {
            counts[labels?.let { it[index].toInt() and BYTE } ?: if (foreground(index)) 1 else 0]++
        }
        val known = if (labels == null) listOf("background", "foreground") else names
        val found = counts.indices.filter { it > 0 && counts[it] > 0 }
        return found.associate { (known.getOrNull(it) ?: "class $it") to counts[it].toDouble() / alpha.size }
    }

    // 128 of 255 is the first that reaches a half; as a signed byte it is below 0.
    private fun foreground(index: Int): Boolean = alpha[index] < 0

    private companion object {
        const val HALF = 0.5
        const val BYTE = 255
    }
}
