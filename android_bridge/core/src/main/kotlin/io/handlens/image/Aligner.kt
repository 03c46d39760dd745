package io.handlens.image

import io.handlens.ImageShapeError

/**
 * Rotation, one scale, then a shift: `x' = a * x - b * y + tx`, `y' = b * x + a * y + ty`.
 */
public data class Similarity(
    public val a: Double,
    public val b: Double,
    public val tx: Double,
    public val ty: Double,
) {
    /** Pixels of the target for one pixel of the source. */
    public val scale: Double get() = Math.sqrt(a * a + b * b)

    /** Where a point's x comes to lie. */
    public fun forwardX(x: Double, y: Double): Double = a * x - b * y + tx

    /** Where a point's y comes to lie. */
    public fun forwardY(x: Double, y: Double): Double = b * x + a * y + ty

    /** The similarity that leads back. */
    public fun inverse(): Similarity {
        val square = a * a + b * b
        val backA = a / square
        val backB = -b / square
        return Similarity(backA, backB, backB * ty - backA * tx, -backB * tx - backA * ty)
    }

    public companion object {
        /**
         * The similarity that brings points nearest (in squared distance, in the target) to others: Umeyama 1991, without
         * reflection.
         *
         * @param source x and y in turn.
         * @param target as many numbers, x and y in turn.
         * @throws ImageShapeError not as many, numbers that are not finite or beyond a million, or points that coincide.
         */
        @JvmStatic
        public fun fit(source: DoubleArray, target: DoubleArray): Similarity = TODO("$source $target")
    }
}

/**
 * Turns, scales and shifts (parts of) images, in exact integers, to the same bytes as Python's `handlens.image.align`.
 *
 * Where the image is at least twice as fine as the result, it is averaged over blocks first; then each pixel is the
 * bilinear mean of four. What lies outside of the image is 0 (black). Work space is kept, so that nothing is allocated once
 * it is large enough. Not thread-safe.
 */
public class Aligner {
    /**
     * Brings points of an image onto those of a template.
     *
     * @param image uint8, of 1 or 3 channels.
     * @param points x and y in turn, pixels of the image; of a face image-left eye, image-right eye, nose tip, image-left
     *     and image-right mouth corner.
     * @param template as many numbers, in pixels of [into].
     * @param into uint8 of as many channels; all of it is written.
     * @throws ImageShapeError the channels differ, or the points are not as many, not finite or (nearly) coincide.
     */
    public fun align(image: RgbImage, points: DoubleArray, template: DoubleArray, into: RgbImage): Unit =
        TODO("$image $points $template $into")

    /** The same with a similarity, from pixels of [image] to pixels of [into]. */
    public fun warp(image: RgbImage, similarity: Similarity, into: RgbImage): Unit = TODO("$image $similarity $into")
}
