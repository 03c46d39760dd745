package io.handlens.image

import io.handlens.ImageShapeError

/**
 * Turns, scales and shifts (parts of) images, in exact integers, to the same bytes as Python's `handlens.image.align`.
 *
 * Where the image is at least twice as fine as the result, it is averaged over blocks first; then each pixel is the
 * bilinear mean of four. What lies outside of the image is 0 (black). Work space is kept, so that nothing is allocated
 * once it is large enough. Not thread-safe.
 */
public class Aligner {
    private val fitted = DoubleArray(4)
    private val sampler = BilinearSampler()
    private var sums = LongArray(0)
    private var blocks = ByteArray(0)

    // The way back from the result to blocks of the image, in units of 2^-24 of a block.
    private var block = 1
    private var a = 0L
    private var b = 0L
    private var tx = 0L
    private var ty = 0L

    /**
     * Brings points of an image onto those of a template.
     *
     * @param image uint8, of 1 or 3 channels.
     * @param points x and y in turn, pixels of the image; of a face image-left eye, image-right eye, nose tip,
     *     image-left and image-right mouth corner.
     * @param template as many numbers, in pixels of [into].
     * @param into uint8 of as many channels; all of it is written.
     * @throws ImageShapeError the channels differ, or the points are not as many, not finite or (nearly) coincide.
     */
    public fun align(image: RgbImage, points: DoubleArray, template: DoubleArray, into: RgbImage) {
        fitSimilarity(points, template, fitted)
        warp(image, fitted[0], fitted[1], fitted[2], fitted[3], into)
    }

    /** The same with a similarity, from pixels of [image] to pixels of [into]. */
    public fun warp(image: RgbImage, similarity: Similarity, into: RgbImage) {
        warp(image, similarity.a, similarity.b, similarity.tx, similarity.ty, into)
    }

    private fun warp(image: RgbImage, a: Double, b: Double, tx: Double, ty: Double, into: RgbImage) {
        if (image.channels != into.channels || image.pixels === into.pixels) {
            throw ImageShapeError(
                "cannot align ${image.channels} channels into ${into.channels}; expected another image of as many " +
                    "channels",
            )
        }
        fix(a, b, tx, ty)
        if (block == 1) {
            sampler.frame(image.pixels, 0, 0, image.height, image.width)
        } else {
            average(image, into.height, into.width)
        }
        for (y in 0 until into.height) {
            // Twice the position, less the half block between a block's corner and its centre; rounded to 1/1024.
            val row = 2L * y + 1
            val column0 = this.a - this.b * row + 2 * this.tx - UNIT + HALF
            val row0 = this.b + this.a * row + 2 * this.ty - UNIT + HALF
            sampler.line(column0, row0, 2 * this.a, 2 * this.b, into, y)
        }
    }

    /** The inverse, in whole numbers; operation by operation as in docs/artifact-format.md. */
    private fun fix(a: Double, b: Double, tx: Double, ty: Double) {
        val square = a * a + b * b
        val backA = a / square
        val backB = -b / square
        val backX = backB * ty - backA * tx
        val backY = -backB * tx - backA * ty
        block = maxOf(1, Math.floor(Math.sqrt(backA * backA + backB * backB)).toInt())
        this.a = fixed(backA)
        this.b = fixed(backB)
        this.tx = fixed(backX)
        this.ty = fixed(backY)
    }

    private fun fixed(value: Double): Long = Math.floor(value / block * UNIT + 0.5).toLong()

    /** Averages the blocks that the result touches; pixels beyond the image's edge count as 0. */
    private fun average(image: RgbImage, height: Int, width: Int) {
        val channels = image.channels
        val rows = bounds(b, a, ty, height, width, image.height)
        val columns = bounds(a, -b, tx, height, width, image.width)
        val top = first(rows)
        val left = first(columns)
        val high = end(rows) - top
        val wide = end(columns) - left
        if (blocks.size < high * wide * channels) blocks = ByteArray(high * wide * channels)
        if (sums.size < wide * channels) sums = LongArray(wide * channels)
        val area = block.toLong() * block
        for (y in 0 until high) {
            java.util.Arrays.fill(sums, 0, wide * channels, 0L)
            val from = (top + y) * block
            for (row in from until minOf(from + block, image.height)) addRow(image, row, left, wide)
            val at = y * wide * channels
            for (i in 0 until wide * channels) blocks[at + i] = ((2 * sums[i] + area) / (2 * area)).toByte()
        }
        sampler.frame(blocks, top, left, high, wide)
    }

    private fun addRow(image: RgbImage, row: Int, left: Int, wide: Int) {
        val channels = image.channels
        val pixels = image.pixels
        val start = row * image.width * channels
        for (x in 0 until wide) {
            val from = (left + x) * block
            val to = minOf(from + block, image.width)
            for (c in 0 until channels) {
                var sum = 0
                var at = start + from * channels + c
                for (column in from until to) {
                    sum += pixels[at].toInt() and 0xFF
                    at += channels
                }
                sums[x * channels + c] += sum.toLong()
            }
        }
    }

    /** First and end (packed) of the blocks along an axis that positions `alongX x + alongY y + shift` touch. */
    private fun bounds(alongX: Long, alongY: Long, shift: Long, height: Int, width: Int, size: Int): Long {
        val right = 2L * width - 1
        val bottom = 2L * height - 1
        val start = 2 * shift - UNIT + HALF
        val low = start + minOf(alongX, alongX * right) + minOf(alongY, alongY * bottom)
        val high = start + maxOf(alongX, alongX * right) + maxOf(alongY, alongY * bottom)
        val last = ((size.toLong() + block - 1) / block)
        val first = ((low shr SHIFT) shr WEIGHT).coerceIn(0, last - 1)
        val end = minOf(maxOf(((high shr SHIFT) shr WEIGHT) + 2, first + 1), last)
        return first shl 32 or end
    }

    private fun first(bounds: Long) = (bounds shr 32).toInt()

    private fun end(bounds: Long) = bounds.toInt()

    private companion object {
        const val UNIT = 1L shl 24
        const val WEIGHT = 10
        const val SHIFT = 15
        const val HALF = 1L shl 14
    }
}
