package io.handlens.image

/** Samples bytes along lines, at positions in 1/1024 of a pixel; outside of them is 0. */
internal class BilinearSampler {
    private var pixels = ByteArray(0)
    private var top = 0
    private var left = 0
    private var height = 0
    private var width = 0

    /** The pixels to sample: [height] rows of [width], the first one being the whole picture's ([left], [top]). */
    fun frame(pixels: ByteArray, top: Int, left: Int, height: Int, width: Int) {
        this.pixels = pixels
        this.top = top
        this.left = left
        this.height = height
        this.width = width
    }

    /** Writes a row of [into]: positions begin at ([column], [row]) in units of 2^-25 and move by a step a pixel. */
    fun line(column: Long, row: Long, columnStep: Long, rowStep: Long, into: RgbImage, y: Int) {
        val channels = into.channels
        val target = into.pixels
        val stride = width * channels
        val pixels = pixels
        var at = y * into.width * channels
        var atColumn = column
        var atRow = row
        for (x in 0 until into.width) {
            val columns = atColumn shr SHIFT
            val rows = atRow shr SHIFT
            val right = columns.toInt() and MASK
            val down = rows.toInt() and MASK
            val i = (columns shr WEIGHT) - left
            val j = (rows shr WEIGHT) - top
            if (i >= 0 && i < width - 1 && j >= 0 && j < height - 1) {
                val upper = j.toInt() * stride + i.toInt() * channels
                val lower = upper + stride
                for (c in 0 until channels) {
                    val above = (pixels[upper + c].toInt() and 0xFF) * (ONE - right) +
                        (pixels[upper + channels + c].toInt() and 0xFF) * right
                    val below = (pixels[lower + c].toInt() and 0xFF) * (ONE - right) +
                        (pixels[lower + channels + c].toInt() and 0xFF) * right
                    target[at + c] = ((above * (ONE - down) + below * down + ROUND) shr 20).toByte()
                }
            } else {
                for (c in 0 until channels) {
                    val above = value(j, i, c, channels) * (ONE - right) + value(j, i + 1, c, channels) * right
                    val below = value(j + 1, i, c, channels) * (ONE - right) + value(j + 1, i + 1, c, channels) * right
                    target[at + c] = ((above * (ONE - down) + below * down + ROUND) shr 20).toByte()
                }
            }
            at += channels
            atColumn += columnStep
            atRow += rowStep
        }
    }

    private fun value(row: Long, column: Long, c: Int, channels: Int): Int {
        if (row < 0 || row >= height || column < 0 || column >= width) return 0
        return pixels[(row.toInt() * width + column.toInt()) * channels + c].toInt() and 0xFF
    }

    private companion object {
        const val SHIFT = 15
        const val WEIGHT = 10
        const val ONE = 1 shl WEIGHT
        const val MASK = ONE - 1
        const val ROUND = 1 shl 19
    }
}
