package io.handlens.image

import io.handlens.ImageShapeError

/**
 * Resizes images, to the same bytes as Python's `handlens.image.resize`.
 *
 * An axis that shrinks to half or less is averaged over the area that each new pixel covers, exactly; any other is
 * interpolated as OpenCV's INTER_LINEAR_EXACT does. Tables and work space are kept from one call to the next, so that
 * nothing is allocated while sizes stay the same. Not thread-safe.
 */
public class Resizer {
    private val area = AreaAverage()
    private val linear = Linear()
    private var between = ByteArray(0)

    /**
     * Resizes (a part of) an image into (a part of) another, of as many channels.
     *
     * @param from uint8.
     * @param into uint8, another array than [from]'s; pixels outside of [at] stay as they are.
     * @param region the part of [from]; null for all of it.
     * @param at the part of [into]; null for all of it.
     * @throws ImageShapeError the channels differ, or a part is empty or lies outside.
     */
    @JvmOverloads
    public fun resize(from: RgbImage, into: RgbImage, region: Region? = null, at: Region? = null) {
        val channels = from.channels
        if (into.channels != channels || into.pixels === from.pixels) {
            throw ImageShapeError(
                "cannot resize $channels channels into ${into.channels}; expected another image of as many channels",
            )
        }
        check(from, region)
        check(into, at)
        val rows = region?.height ?: from.height
        val columns = region?.width ?: from.width
        val height = at?.height ?: into.height
        val width = at?.width ?: into.width
        val targetStride = into.width * channels
        val targetStart = if (at == null) 0 else at.top * targetStride + at.left * channels
        var source = from.pixels
        var stride = from.width * channels
        var start = if (region == null) 0 else region.top * stride + region.left * channels
        val innerRows = if (rows >= 2L * height) height else rows
        val innerColumns = if (columns >= 2L * width) width else columns
        if (innerRows != rows || innerColumns != columns) {
            val last = innerRows == height && innerColumns == width
            if (!last && between.size < innerRows * innerColumns * channels) {
                between = ByteArray(innerRows * innerColumns * channels)
            }
            area.run(
                source, start, stride, rows, columns, channels,
                if (last) into.pixels else between,
                if (last) targetStart else 0,
                if (last) targetStride else innerColumns * channels,
                innerRows, innerColumns,
            )
            if (last) return
            source = between
            start = 0
            stride = innerColumns * channels
        }
        if (innerRows == height && innerColumns == width) {
            for (y in 0 until height) {
                val row = targetStart + y * targetStride
                System.arraycopy(source, start + y * stride, into.pixels, row, width * channels)
            }
            return
        }
        linear.run(
            source, start, stride, innerRows, innerColumns, channels,
            into.pixels, targetStart, targetStride, height, width,
        )
    }

    private fun check(image: RgbImage, part: Region?) {
        if (part == null) return
        val inside = part.left >= 0 && part.top >= 0 && part.width > 0 && part.height > 0 &&
            part.width <= image.width - part.left && part.height <= image.height - part.top
        if (!inside) {
            throw ImageShapeError("$part is empty or not inside of the ${image.width} x ${image.height} image")
        }
    }
}
