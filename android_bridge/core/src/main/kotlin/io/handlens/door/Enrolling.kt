package io.handlens.door

import io.handlens.EnrolmentInconsistent
import io.handlens.EnrolmentTooAlike
import io.handlens.ImageCountWrong
import io.handlens.RateUnsupported
import io.handlens.image.RgbImage
import kotlin.math.max
import kotlin.math.sqrt

/** What makes a template set: enough photographs of one person, at different moments. */
internal object Enrolling {
    /** Correlation of two aligned faces above which they count as one photograph; docs/door.md has the measurement. */
    const val ALIKE = 0.9

    /** The false match rate at which two enrolment images count as one person, or the next lower one that is carried. */
    private const val LOOSE = 1e-2

    fun checkCount(count: Int, least: Int, most: Int) {
        if (count in least..most) return
        throw ImageCountWrong(
            "$count image${if (count == 1) "" else "s"}; $least to $most are needed",
            if (count < least) "take more, at different moments" else "leave some out",
        )
    }

    /** Refuses two crops (28 x 28, grey) that are copies, mirrored ones too, or of the same moment. */
    fun checkAlike(crops: List<RgbImage>) {
        for (second in crops.indices) {
            for (first in 0 until second) {
                val value = max(
                    correlation(crops[first], crops[second], mirrored = false),
                    correlation(crops[first], crops[second], mirrored = true),
                )
                if (value >= ALIKE) {
                    throw EnrolmentTooAlike(
                        "images ${first + 1} and ${second + 1} are nearly the same (correlation " +
                            "${decimals(value, 3)}, below $ALIKE needed)",
                        "take them at different moments, in another light or with the head a little turned",
                    )
                }
            }
        }
    }

    /** The correlation of two small crops' luma inside the face, -1..1. */
    fun correlation(one: RgbImage, other: RgbImage, mirrored: Boolean): Double {
        val mask = FaceMask.quarter
        var count = 0
        val sums = LongArray(5) // of each, of their squares, of their products: whole numbers until the last step
        for (index in mask.indices) {
            if (!mask[index]) continue
            val column = index % one.width
            val a = one.pixels[index].toInt() and 0xFF
            val across = if (mirrored) index - column + one.width - 1 - column else index
            val b = other.pixels[across].toInt() and 0xFF
            count++
            sums[0] += a.toLong()
            sums[1] += b.toLong()
            sums[2] += (a * a).toLong()
            sums[3] += (b * b).toLong()
            sums[4] += (a * b).toLong()
        }
        val ownSquare = sums[2] * count - sums[0] * sums[0]
        val otherSquare = sums[3] * count - sums[1] * sums[1]
        val length = sqrt(ownSquare.toDouble() * otherSquare.toDouble())
        return if (length > 0) (sums[4] * count - sums[0] * sums[1]) / length else 1.0
    }

    /** Refuses templates that do not hang together as one person: each must be linked to each, through others or not. */
    fun checkConsistent(templates: List<FloatArray>, verifier: FaceEmbedder) {
        val limit = looseThreshold(verifier)
        val scores = List(templates.size) { one -> DoubleArray(templates.size) { dot(templates[one], templates[it]) } }
        val groups = groups(scores, limit)
        if (groups.size < 2) return
        val largest = groups.maxBy { it.size }
        val outside = groups.filter { it !== largest }.flatten().map { it + 1 }.sorted()
        val best = groups.maxOf { group -> group.maxOf { one -> scores[one].filterIndexed { i, _ -> i !in group }.max() } }
        throw EnrolmentInconsistent(
            (if (outside.size == 1) "image " else "images ") + outside.joinToString(", ") + " of ${templates.size} " +
                (if (outside.size == 1) "does" else "do") + " not look like the same person as the others (similarity " +
                "at best ${decimals(best, 4)}, ${decimals(limit, 4)} needed)",
            "leave out what shows somebody else, and take better photographs of the rest",
        )
    }

    private fun looseThreshold(verifier: FaceEmbedder): Double {
        for (target in verifier.thresholds.map { it.targetFmr }.sortedDescending()) {
            if (target > LOOSE * (1 + 1e-9)) continue
            try {
                return verifier.threshold(target).value
            } catch (_: RateUnsupported) {
                continue
            }
        }
        return verifier.threshold(LOOSE).value // throws, and names the rates there are
    }

    private fun groups(scores: List<DoubleArray>, limit: Double): List<Set<Int>> {
        val left = scores.indices.toSortedSet()
        val groups = mutableListOf<Set<Int>>()
        while (left.isNotEmpty()) {
            val group = sortedSetOf<Int>()
            var edge = setOf(left.first())
            while (edge.isNotEmpty()) {
                group += edge
                edge = edge.flatMap { one -> scores[one].indices.filter { scores[one][it] >= limit } }.toSet() - group
            }
            groups += group
            left -= group
        }
        return groups
    }
}

/** The scalar product of two templates, in double. */
internal fun dot(one: FloatArray, other: FloatArray): Double {
    var sum = 0.0
    for (index in one.indices) sum += one[index].toDouble() * other[index].toDouble()
    return sum
}
