package io.handlens.image

import io.handlens.ImageShapeError

/**
 * Resizes images, to the same bytes as Python's `handlens.image.resize`.
 *
 * An axis that shrinks to half or less is averaged over the area that each new pixel covers, exactly; any other is
 * interpolated as OpenCV's INTER_LINEAR_EXACT does. Tables and work space are kept from one call to the next, so that nothing
 * is allocated while sizes stay the same. Not thread-safe.
 */
public class Resizer {
    /**
     * Resizes (a part of) an image into (a part of) another, of as many channels.
     *
     * @param from uint8.
     * @param into uint8; pixels outside of [at] stay as they are.
     * @param region the part of [from]; null for all of it.
     * @param at the part of [into]; null for all of it.
     * @throws ImageShapeError the channels differ, or a part is empty or lies outside.
     */
    @JvmOverloads
    public fun resize(from: RgbImage, into: RgbImage, region: Region? = null, at: Region? = null): Unit =
        TODO("$from $into $region $at")
}

/**
 * Turns RGB into BT.601 luma, in integers: (19595 R + 38470 G + 7471 B + 32768) >> 16.
 *
 * @param from of three channels.
 * @param into of one channel and the same size.
 * @throws ImageShapeError the sizes or channels are not so.
 */
public fun toGrey(from: RgbImage, into: RgbImage): Unit = TODO("$from $into")
