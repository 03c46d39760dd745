package io.handlens.android

import android.graphics.Bitmap
import io.handlens.image.RgbImage

/**
 * Bitmaps as RGB, for a loop: the result is written into the same image again as long as the size stays. Not thread-safe.
 */
public class BitmapConverter {
    private var image: RgbImage? = null
    private var row = IntArray(0)

    /**
     * Converts a bitmap, which must be upright (Android's decoders leave a JPEG's EXIF rotation to the app). What is
     * transparent keeps its colour.
     *
     * @param bitmap of any configuration; one of `HARDWARE` is copied first.
     * @return overwritten by the next call.
     */
    public fun convert(bitmap: Bitmap): RgbImage {
        val readable = if (bitmap.config == Bitmap.Config.ARGB_8888 || bitmap.config == Bitmap.Config.RGB_565) {
            bitmap
        } else {
            bitmap.copy(Bitmap.Config.ARGB_8888, false)
        }
        val into = image?.takeIf { it.width == bitmap.width && it.height == bitmap.height }
            ?: RgbImage(ByteArray(3 * bitmap.width * bitmap.height), bitmap.width, bitmap.height).also { image = it }
        if (row.size < bitmap.width) row = IntArray(bitmap.width)
        for (y in 0 until bitmap.height) {
            readable.getPixels(row, 0, bitmap.width, 0, y, bitmap.width, 1)
            unpack(row, bitmap.width, into.pixels, 3 * y * bitmap.width)
        }
        if (readable !== bitmap) readable.recycle()
        return into
    }
}

/** An image as an ARGB_8888 bitmap; grey ones, such as masks, too. */
public fun RgbImage.toBitmap(): Bitmap = Bitmap.createBitmap(toArgb(), width, height, Bitmap.Config.ARGB_8888)

/** An image's pixels as opaque ARGB, row by row. */
internal fun RgbImage.toArgb(): IntArray = IntArray(width * height) { index ->
    val at = index * channels
    val red = pixels[at].toInt() and 0xFF
    val green = if (channels == 3) pixels[at + 1].toInt() and 0xFF else red
    val blue = if (channels == 3) pixels[at + 2].toInt() and 0xFF else red
    (0xFF shl 24) or (red shl 16) or (green shl 8) or blue
}

/** Writes the colours of ARGB pixels as interleaved RGB. */
internal fun unpack(argb: IntArray, count: Int, into: ByteArray, begin: Int) {
    var at = begin
    for (index in 0 until count) {
        into[at++] = (argb[index] shr 16).toByte()
        into[at++] = (argb[index] shr 8).toByte()
        into[at++] = argb[index].toByte()
    }
}
