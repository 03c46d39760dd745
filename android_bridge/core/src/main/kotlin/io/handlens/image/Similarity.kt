package io.handlens.image

import io.handlens.ImageShapeError

/** Rotation, one scale, then a shift: `x' = a * x - b * y + tx`, `y' = b * x + a * y + ty`. */
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
         * The similarity that brings points nearest (in squared distance, in the target) to others: Umeyama 1991,
         * without reflection.
         *
         * @param source x and y in turn.
         * @param target as many numbers, x and y in turn.
         * @throws ImageShapeError not as many, numbers that are not finite or beyond a million, or points that
         *     coincide.
         */
        @JvmStatic
        public fun fit(source: DoubleArray, target: DoubleArray): Similarity {
            val fitted = DoubleArray(4)
            fitSimilarity(source, target, fitted)
            return Similarity(fitted[0], fitted[1], fitted[2], fitted[3])
        }
    }
}

private const val LIMIT = 1e6 // pixels: no image that is read is wider, and all sums stay exact
private const val FINEST = 1.0 / 8_192 // pixels of the target for one of the source
private const val COARSEST = 1_000.0

/**
 * As [Similarity.fit], into a, b, tx, ty; each operation in the order of docs/artifact-format.md, so that bits agree.
 */
internal fun fitSimilarity(source: DoubleArray, target: DoubleArray, into: DoubleArray) {
    val count = target.size / 2
    var usable = source.size == target.size && count > 0
    for (value in source) usable = usable && Math.abs(value) <= LIMIT // false for NaN
    if (!usable) {
        throw ImageShapeError(
            "points are ${show(source)}; expected $count pairs of finite pixel coordinates, within a million",
        )
    }
    val x0 = mean(source, 0)
    val y0 = mean(source, 1)
    val u0 = mean(target, 0)
    val v0 = mean(target, 1)
    var square = 0.0
    var along = 0.0
    var across = 0.0
    for (i in 0 until count) {
        val x = source[2 * i] - x0
        val y = source[2 * i + 1] - y0
        val u = target[2 * i] - u0
        val v = target[2 * i + 1] - v0
        square += x * x + y * y
        along += x * u + y * v
        across += x * v - y * u
    }
    if (square == 0.0 || Math.hypot(along, across) / square !in FINEST..COARSEST) {
        throw ImageShapeError("points are ${show(source)}: too close to each other or too far apart for a face")
    }
    val a = along / square
    val b = across / square
    into[0] = a
    into[1] = b
    into[2] = u0 - (a * x0 - b * y0)
    into[3] = v0 - (b * x0 + a * y0)
}

private fun mean(values: DoubleArray, start: Int): Double {
    var total = 0.0
    val count = values.size / 2
    for (i in 0 until count) total += values[start + 2 * i]
    return total / count
}

private fun show(values: DoubleArray): String = values.joinToString(prefix = "[", postfix = "]").take(120)
