@file:JvmName("Luma")

package io.handlens.image

import io.handlens.ImageShapeError

/**
 * Turns RGB into BT.601 luma, in integers: (19595 R + 38470 G + 7471 B + 32768) >> 16.
 *
 * @param from of three channels.
 * @param into of one channel and the same size.
 * @throws ImageShapeError the sizes or channels are not so.
 */
public fun toGrey(from: RgbImage, into: RgbImage) {
    if (from.channels != 3 || into.channels != 1 || from.width != into.width || from.height != into.height) {
        throw ImageShapeError(
            "cannot turn ${from.width} x ${from.height} x ${from.channels} into ${into.width} x ${into.height} x " +
                "${into.channels} luma; expected three channels into one of the same size",
        )
    }
    val rgb = from.pixels
    val grey = into.pixels
    var at = 0
    for (i in grey.indices) {
        val red = rgb[at].toInt() and 0xFF
        val green = rgb[at + 1].toInt() and 0xFF
        val blue = rgb[at + 2].toInt() and 0xFF
        grey[i] = ((19595 * red + 38470 * green + 7471 * blue + 32768) shr 16).toByte()
        at += 3
    }
}
