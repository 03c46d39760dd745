package io.handlens.door

import io.handlens.image.Resizer
import io.handlens.image.RgbImage

/** The aligned crop that faces are measured on: 112 x 112 pixels, and an ellipse in it from brows to chin. */
internal object FaceMask {
    const val SIDE = 112

    /** Where five points lie in a frontal face: the template of ArcFace (Deng et al. 2019). */
    val TEMPLATE = doubleArrayOf(
        38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041,
    )

    /** Pixels between the template's eyes. */
    const val EYES = 35.24

    /** Which pixels of the crop are face, row by row. */
    val full = BooleanArray(SIDE * SIDE) { index ->
        val x = (index % SIDE + 0.5 - 56.0) / 34.0
        val y = (index / SIDE + 0.5 - 70.0) / 42.0
        x * x + y * y <= 1
    }

    /** The face's pixels, counted. */
    val count: Int = full.count { it }

    /** Centres of every fourth face pixel, x and y in turn. */
    val points: DoubleArray = full.indices.filter { full[it] }.filterIndexed { index, _ -> index % 4 == 0 }
        .flatMap { listOf(it % SIDE + 0.5, it / SIDE + 0.5) }.toDoubleArray()

    /** The mask at half the crop's size, for sharpness. */
    val half: BooleanArray = smaller(SIDE / 2)

    /** The mask at a quarter of the crop's size, for telling copies. */
    val quarter: BooleanArray = smaller(SIDE / 4)

    private fun smaller(side: Int): BooleanArray {
        val shown = RgbImage(ByteArray(SIDE * SIDE) { if (full[it]) -1 else 0 }, SIDE, SIDE, 1)
        val into = RgbImage(ByteArray(side * side), side, side, 1)
        Resizer().resize(shown, into)
        return BooleanArray(side * side) { (into.pixels[it].toInt() and 0xFF) > 127 }
    }
}
