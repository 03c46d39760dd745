package io.handlens.door

import io.handlens.ImageShapeError
import io.handlens.image.Aligner
import io.handlens.image.Resizer
import io.handlens.image.RgbImage
import io.handlens.image.Similarity
import io.handlens.image.toGrey
import io.handlens.task.Point
import kotlin.math.atan2
import kotlin.math.cos
import kotlin.math.floor
import kotlin.math.min
import kotlin.math.sin

/**
 * Measures faces as Python's `handlens.gates.measure` does. Work space is kept from one face to the next. Not thread-safe.
 */
public class FaceMeasurer {
    private val aligner = Aligner()
    private val resizer = Resizer()
    private val crop = blank(FaceMask.SIDE, 3)
    private val luma = blank(FaceMask.SIDE, 1)
    private val half = blank(HALF, 1)
    private val counts = IntArray(256)

    /**
     * Measures a face.
     *
     * @param image upright RGB.
     * @param points five, in pixels of the image, as `Face.points`.
     * @throws ImageShapeError the image is grey, or the points are not five, not finite or (nearly) coincide.
     */
    public fun measure(image: RgbImage, points: List<Point>): Measures {
        val similarity = align(image, points)
        val (yaw, pitch, roll) = pose(points)
        return Measures(
            eyes = FaceMask.EYES / similarity.scale,
            inside = inside(similarity.inverse(), image.width, image.height),
            yaw = yaw,
            pitch = pitch,
            roll = roll,
            highlights = highlights(),
            clipped = (CLIPPED..255).sumOf { counts[it] }.toDouble() / FaceMask.count,
            sharpness = sharpness(),
        )
    }

    /** The aligned face as grey (28, 28), small enough that compression and noise do not show. */
    internal fun smallCrop(image: RgbImage, points: List<Point>): RgbImage {
        align(image, points)
        return blank(FaceMask.SIDE / 4, 1).also { resizer.resize(luma, it) }
    }

    /** Writes [crop] and [luma], and returns the similarity that leads from the image to them. */
    private fun align(image: RgbImage, points: List<Point>): Similarity {
        if (image.channels != 3) throw ImageShapeError("the image is grey; the gates need RGB, three channels")
        val source = DoubleArray(2 * points.size) { if (it % 2 == 0) points[it / 2].x else points[it / 2].y }
        val similarity = Similarity.fit(source, FaceMask.TEMPLATE)
        aligner.warp(image, similarity, crop)
        toGrey(crop, luma)
        return similarity
    }

    /** The 99th percentile of the face's luma, interpolated as NumPy does; leaves the histogram in [counts]. */
    private fun highlights(): Double {
        counts.fill(0)
        for (index in FaceMask.full.indices) {
            if (FaceMask.full[index]) counts[luma.pixels[index].toInt() and 0xFF]++
        }
        val place = (FaceMask.count - 1) * 0.99
        val below = floor(place)
        val part = place - below
        val low = ranked(below.toInt())
        val high = ranked(min(below.toInt() + 1, FaceMask.count - 1))
        return if (part < 0.5) low + (high - low) * part else high - (high - low) * (1 - part)
    }

    private fun ranked(rank: Int): Double {
        var seen = 0
        for (level in counts.indices) {
            seen += counts[level]
            if (seen > rank) return level.toDouble()
        }
        return 255.0
    }

    private fun sharpness(): Double {
        resizer.resize(luma, half)
        val weakest = (0 until DIRECTIONS.size step 2).minOf { first ->
            val step = DIRECTIONS[first] * HALF + DIRECTIONS[first + 1]
            val weight = if (DIRECTIONS[first] != 0 && DIRECTIONS[first + 1] != 0) 0.5 else 1.0
            weight * variance(1) { at(it - step) - 2 * at(it) + at(it + step) }
        }
        return weakest / (variance(0) { at(it) } + FLAT)
    }

    private fun at(index: Int): Int = half.pixels[index].toInt() and 0xFF

    /** The variance of a function over the face's pixels that lie [margin] pixels or more from the edge. */
    private inline fun variance(margin: Int, value: (Int) -> Int): Double {
        var count = 0
        var sum = 0L
        var squares = 0L
        for (row in margin until HALF - margin) {
            for (index in row * HALF + margin until (row + 1) * HALF - margin) {
                if (!FaceMask.half[index]) continue
                val seen = value(index).toLong()
                count++
                sum += seen
                squares += seen * seen
            }
        }
        // Whole numbers until the last step: no rounding, whatever the order.
        return (squares * count - sum * sum).toDouble() / (count.toDouble() * count)
    }

    private companion object {
        const val HALF = FaceMask.SIDE / 2
        const val FLAT = 25.0
        const val CLIPPED = 247

        /** Rows and columns in turn; a diagonal's neighbours lie farther off and count half. */
        val DIRECTIONS = intArrayOf(0, 1, 1, 0, 1, 1, 1, -1)

        fun blank(side: Int, channels: Int) = RgbImage(ByteArray(side * side * channels), side, side, channels)

        fun inside(back: Similarity, width: Int, height: Int): Double {
            val points = FaceMask.points
            var count = 0
            for (index in points.indices step 2) {
                val x = back.forwardX(points[index], points[index + 1])
                val y = back.forwardY(points[index], points[index + 1])
                if (x >= 0 && x <= width && y >= 0 && y <= height) count++
            }
            return count.toDouble() / (points.size / 2)
        }
    }
}

/** Yaw, pitch and roll in degrees, as in [Measures]; a face without extent gives infinities. */
internal fun pose(points: List<Point>): Triple<Double, Double, Double> {
    val (one, other, nose) = points
    val eyesX = (one.x + other.x) / 2
    val eyesY = (one.y + other.y) / 2
    val rightX = other.x - one.x
    val rightY = other.y - one.y
    val leftX = (points[3].x + points[4].x) / 2 - eyesX
    val leftY = (points[3].y + points[4].y) / 2 - eyesY
    val roll = Math.toDegrees(atan2(rightY, rightX))
    val axisX = cos(Math.toRadians(roll))
    val axisY = sin(Math.toRadians(roll))
    val eyes = rightX * axisX + rightY * axisY
    val height = leftX * -axisY + leftY * axisX
    val noseX = nose.x - eyesX
    val noseY = nose.y - eyesY
    val yaw = if (eyes > 0) 2 * (noseX * axisX + noseY * axisY) / eyes else Double.POSITIVE_INFINITY
    val pitch = if (height > 0) (noseX * -axisY + noseY * axisX) / height else Double.POSITIVE_INFINITY
    return Triple(yaw, pitch, roll)
}
