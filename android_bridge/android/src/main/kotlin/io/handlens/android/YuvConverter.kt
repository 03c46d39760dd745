package io.handlens.android

import android.graphics.ImageFormat
import android.media.Image
import io.handlens.ImageShapeError
import io.handlens.image.RgbImage
import java.nio.ByteBuffer

/**
 * One plane of a camera frame.
 *
 * @property bytes read from index 0; position and limit do not matter.
 * @property rowStride bytes from one row to the next.
 * @property pixelStride bytes from one pixel to the next.
 */
public class Plane(public val bytes: ByteBuffer, public val rowStride: Int, public val pixelStride: Int)

/**
 * Camera frames (YUV_420_888) as upright RGB, for a frame loop: the result is written into the same image again as long as
 * the size stays, and nothing is allocated then. Not thread-safe; one for each camera.
 *
 * The colours are BT.601 of full range (JFIF), which is what cameras deliver in this format; in 16-bit fixed point, halves
 * round up.
 */
public class YuvConverter {
    private var image: RgbImage? = null
    private var luma = ByteArray(0)
    private var blue = ByteArray(0)
    private var red = ByteArray(0)

    /**
     * Converts a frame of a camera. Close the frame afterwards. Android, and this, make a few small objects for its planes.
     *
     * @param frame of format YUV_420_888; its crop rectangle counts. Of CameraX's `ImageProxy`, its `image`.
     * @param rotationDegrees by which the frame has to be turned clockwise to be upright: `imageInfo.rotationDegrees`.
     * @param mirrored whether left and right are exchanged afterwards, as a front camera's preview shows them.
     * @return upright; overwritten by the next call.
     * @throws ImageShapeError another format, or degrees that are no multiple of 90.
     */
    @JvmOverloads
    public fun convert(frame: Image, rotationDegrees: Int, mirrored: Boolean = false): RgbImage {
        if (frame.format != ImageFormat.YUV_420_888) {
            throw ImageShapeError("the frame has format ${frame.format}; expected YUV_420_888, CameraX's default")
        }
        val (y, u, v) = frame.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
        val crop = frame.cropRect
        return convert(y, u, v, crop.left, crop.top, crop.width(), crop.height(), rotationDegrees, mirrored)
    }

    /**
     * Converts three planes: luma of every pixel, and two of colour at half the size.
     *
     * @param left first column of the frame that is taken, even.
     * @param top first row, even.
     * @param width columns.
     * @param height rows.
     * @return upright; overwritten by the next call.
     * @throws ImageShapeError a plane is too small, or the degrees are no multiple of 90.
     */
    public fun convert(
        y: Plane,
        u: Plane,
        v: Plane,
        left: Int,
        top: Int,
        width: Int,
        height: Int,
        rotationDegrees: Int,
        mirrored: Boolean,
    ): RgbImage {
        if (rotationDegrees % 90 != 0) throw ImageShapeError("rotation is $rotationDegrees; valid: 0, 90, 180, 270")
        check(y, left + width, top + height, "luma")
        check(u, (left + width + 1) / 2, (top + height + 1) / 2, "blue")
        check(v, (left + width + 1) / 2, (top + height + 1) / 2, "red")
        val turn = (rotationDegrees / 90 and 3)
        val into = target(if (turn % 2 == 0) width else height, if (turn % 2 == 0) height else width)
        luma = room(luma, width)
        blue = room(blue, (width + 1) / 2)
        red = room(red, (width + 1) / 2)
        for (row in 0 until height) {
            read(y, top + row, left, width, luma)
            if (row % 2 == 0) {
                read(u, (top + row) / 2, left / 2, (width + 1) / 2, blue)
                read(v, (top + row) / 2, left / 2, (width + 1) / 2, red)
            }
            // Where the row's first pixel goes, and how far it is from there to the next one's place.
            val first = place(0, row, width, height, turn, mirrored, into.width)
            val step = if (width > 1) place(1, row, width, height, turn, mirrored, into.width) - first else 0
            write(into.pixels, 3 * first, 3 * step, width)
        }
        return into
    }

    private fun target(width: Int, height: Int): RgbImage {
        image?.let { if (it.width == width && it.height == height) return it }
        return RgbImage(ByteArray(3 * width * height), width, height).also { image = it }
    }

    private fun write(into: ByteArray, first: Int, step: Int, width: Int) {
        var at = first
        for (column in 0 until width) {
            val y = luma[column].toInt() and 0xFF shl 16
            val u = (blue[column shr 1].toInt() and 0xFF) - 128
            val v = (red[column shr 1].toInt() and 0xFF) - 128
            into[at] = level(y + RED_V * v)
            into[at + 1] = level(y - GREEN_U * u - GREEN_V * v)
            into[at + 2] = level(y + BLUE_U * u)
            at += step
        }
    }

    private companion object {
        // 1.402, 0.344136, 0.714136 and 1.772 in units of 2^-16.
        const val RED_V = 91881
        const val GREEN_U = 22553
        const val GREEN_V = 46802
        const val BLUE_U = 116130

        fun level(sum: Int): Byte = (sum + (1 shl 15) shr 16).coerceIn(0, 255).toByte()

        /** The index, in pixels of the upright image, of a pixel of the frame turned by quarters clockwise. */
        fun place(x: Int, y: Int, width: Int, height: Int, turn: Int, mirrored: Boolean, across: Int): Int {
            val column = when (turn) {
                0 -> x
                1 -> height - 1 - y
                2 -> width - 1 - x
                else -> y
            }
            val row = when (turn) {
                0 -> y
                1 -> x
                2 -> height - 1 - y
                else -> width - 1 - x
            }
            return row * across + if (mirrored) across - 1 - column else column
        }

        fun room(kept: ByteArray, size: Int): ByteArray = if (kept.size >= size) kept else ByteArray(size)

        fun read(plane: Plane, row: Int, column: Int, count: Int, into: ByteArray) {
            val begin = row * plane.rowStride + column * plane.pixelStride
            for (index in 0 until count) into[index] = plane.bytes.get(begin + index * plane.pixelStride)
        }

        fun check(plane: Plane, columns: Int, rows: Int, what: String) {
            val last = (rows - 1) * plane.rowStride + (columns - 1) * plane.pixelStride
            if (plane.pixelStride < 1 || plane.rowStride < 1 || columns < 1 || rows < 1 || last >= plane.bytes.capacity()) {
                throw ImageShapeError(
                    "the $what plane has ${plane.bytes.capacity()} bytes; $columns x $rows pixels of it need ${last + 1L}",
                )
            }
        }
    }
}
