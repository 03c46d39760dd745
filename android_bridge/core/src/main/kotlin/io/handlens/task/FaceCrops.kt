package io.handlens.task

import io.handlens.ImageShapeError
import io.handlens.image.Aligner
import io.handlens.image.RgbImage
import io.handlens.image.Similarity
import kotlin.math.max
import kotlin.math.min
import kotlin.math.round

/** Cuts faces out of their images. */
public object FaceCrops {
    // Where the five points lie in the crops that the gender model learnt from, in parts of the side; and how such a
    // crop follows from a box alone: its side in longer sides of the box, its centre in sides below the box's.
    private val POINTS = doubleArrayOf(0.303, 0.283, 0.697, 0.283, 0.5, 0.523, 0.329, 0.672, 0.671, 0.672)
    private const val SIDE = 0.89
    private const val DROP = 0.094
    private const val LARGEST = 4

    /**
     * Cuts out a face as [GenderClassifier] wants it: upright, square, with a margin; outside of the image is black.
     *
     * @param image RGB, upright.
     * @param face in it; by its points where it has some (turned upright), else by its box.
     * @return a square image, about as fine as [image].
     * @throws ImageShapeError the points coincide; or the box is empty, not finite, or much larger than the image.
     */
    @JvmStatic
    public fun crop(image: RgbImage, face: Face): RgbImage {
        val points = face.points ?: return crop(image, face.box)
        val pairs = DoubleArray(2 * points.size) { if (it % 2 == 0) points[it / 2].x else points[it / 2].y }
        val finest = Similarity.fit(pairs, POINTS).scale
        val side = max(1, min(round(1 / finest).toInt(), LARGEST * max(image.width, image.height)))
        val into = blank(side, image.channels)
        Aligner().warp(image, Similarity.fit(pairs, DoubleArray(POINTS.size) { side * POINTS[it] }), into)
        return into
    }

    /** As [crop] of a face without points, by its [box] alone. */
    @JvmStatic
    public fun crop(image: RgbImage, box: Box): RgbImage {
        val long = max(box.x2 - box.x1, box.y2 - box.y1)
        val numbers = listOf(box.x1, box.y1, box.x2, box.y2)
        val empty = box.x2 <= box.x1 || box.y2 <= box.y1
        if (numbers.any { !it.isFinite() } || empty || long > LARGEST * max(image.width, image.height)) {
            throw ImageShapeError(
                "box is $box; expected a face (x1, y1, x2, y2) in the image of ${image.width} x ${image.height}",
            )
        }
        // Halves go to the even number, as Python rounds.
        val side = max(1, round(SIDE * long).toInt())
        val left = round((box.x1 + box.x2 - side) / 2).toInt()
        val top = round((box.y1 + box.y2 - side) / 2 + DROP * side).toInt()
        val into = blank(side, image.channels)
        val first = max(left, 0)
        val count = (min(left + side, image.width) - first) * image.channels
        for (row in max(top, 0) until min(top + side, image.height)) {
            val from = (row * image.width + first) * image.channels
            val to = ((row - top) * side + first - left) * image.channels
            if (count > 0) image.pixels.copyInto(into.pixels, to, from, from + count)
        }
        return into
    }

    private fun blank(side: Int, channels: Int): RgbImage =
        RgbImage(ByteArray(side * side * channels), side, side, channels)
}
