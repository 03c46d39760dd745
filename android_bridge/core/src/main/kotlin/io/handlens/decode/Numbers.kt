package io.handlens.decode

import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.ln

/** The logit of a [probability], 0..1; infinite at the ends. Comparisons are made in float32, as Python makes them. */
internal fun logit(probability: Double): Float = when {
    probability <= 0 -> Float.NEGATIVE_INFINITY
    probability >= 1 -> Float.POSITIVE_INFINITY
    else -> ln(probability / (1 - probability)).toFloat()
}

/** The probability of a [logit], float32 at every step, without an overflow. */
internal fun sigmoid(logit: Float): Float {
    val small = exp(-abs(logit))
    return (if (logit >= 0f) 1f else small) / (1f + small)
}

/** The probability of a [logit] in float64. */
internal fun sigmoid(logit: Double): Double {
    val small = exp(-abs(logit))
    return (if (logit >= 0.0) 1.0 else small) / (1.0 + small)
}

// Below so many numbers NumPy adds them one by one; up to _BLOCK in eight columns; beyond, half by half.
private const val COLUMNS = 8
private const val BLOCK = 128

/** The sum of `values[from until from + count]` in NumPy's order of additions (pairwise), to the last bit. */
internal fun pairwiseSum(values: FloatArray, from: Int, count: Int): Float {
    if (count > BLOCK) {
        val half = count / 2 - count / 2 % COLUMNS
        return pairwiseSum(values, from, half) + pairwiseSum(values, from + half, count - half)
    }
    val even = if (count < COLUMNS) 0 else count - count % COLUMNS
    var sum = 0f
    if (even > 0) {
        val ends = pairColumns(values, from, even, 0) + pairColumns(values, from, even, 2)
        sum = ends + (pairColumns(values, from, even, 4) + pairColumns(values, from, even, 6))
    }
    for (index in from + even until from + count) sum += values[index]
    return sum
}

/** As for float32. */
internal fun pairwiseSum(values: DoubleArray, from: Int, count: Int): Double {
    if (count > BLOCK) {
        val half = count / 2 - count / 2 % COLUMNS
        return pairwiseSum(values, from, half) + pairwiseSum(values, from + half, count - half)
    }
    val even = if (count < COLUMNS) 0 else count - count % COLUMNS
    var sum = 0.0
    if (even > 0) {
        val ends = pairColumns(values, from, even, 0) + pairColumns(values, from, even, 2)
        sum = ends + (pairColumns(values, from, even, 4) + pairColumns(values, from, even, 6))
    }
    for (index in from + even until from + count) sum += values[index]
    return sum
}

/** Sums every eighth value from [column] on, and from the one behind it, and adds the two. */
private fun pairColumns(values: FloatArray, from: Int, count: Int, column: Int): Float {
    var first = values[from + column]
    var second = values[from + column + 1]
    // A loop with a step would make an object for its range.
    var index = from + column + COLUMNS
    while (index < from + count) {
        first += values[index]
        second += values[index + 1]
        index += COLUMNS
    }
    return first + second
}

private fun pairColumns(values: DoubleArray, from: Int, count: Int, column: Int): Double {
    var first = values[from + column]
    var second = values[from + column + 1]
    // A loop with a step would make an object for its range.
    var index = from + column + COLUMNS
    while (index < from + count) {
        first += values[index]
        second += values[index + 1]
        index += COLUMNS
    }
    return first + second
}

/**
 * Probabilities of logits in float64: `values[from until from + count]` are replaced by their softmax.
 *
 * The sum is taken in NumPy's order, so that only the exponential can differ from Python's, by its last bit.
 */
internal fun softmax(values: DoubleArray, from: Int, count: Int) {
    var highest = values[from]
    for (index in from + 1 until from + count) if (values[index] > highest) highest = values[index]
    for (index in from until from + count) values[index] = exp(values[index] - highest)
    val sum = pairwiseSum(values, from, count)
    for (index in from until from + count) values[index] /= sum
}

/** The place of the greatest of `values[from until from + count]`, the first of equals, counted from [from]. */
internal fun argmax(values: DoubleArray, from: Int, count: Int): Int {
    var best = from
    for (index in from + 1 until from + count) if (values[index] > values[best]) best = index
    return best - from
}
