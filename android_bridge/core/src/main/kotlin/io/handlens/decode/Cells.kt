package io.handlens.decode

import io.handlens.artifact.Manifest
import kotlin.math.exp
import kotlin.math.min

/**
 * The decoder of this house: one candidate a cell of each stride, sizes as logarithms of strides.
 *
 * For a cell with its centre at c = ((column + 0.5) * s, (row + 0.5) * s): the box's centre is c + s * (dx, dy), its
 * size s * exp(log w, log h), a point c + s * (px, py). Outputs: `score` (1, N, 1), a logit; `box` (1, N, 4); where
 * there are any `points` (1, N, 10) and `gender` (1, N, 1), the logit of female.
 */
internal class Cells(manifest: Manifest, decoding: Decoding) : Decoder {
    private val grid = Grid(manifest, decoding.strides, decoding.strides.map { 1 })
    private val score = decoding.named(manifest, "score", listOf(1, grid.count, 1))
    private val box = decoding.named(manifest, "box", listOf(1, grid.count, Candidates.BOX))
    private val points = decoding.optional(manifest, "points", listOf(1, grid.count, Candidates.POINTS))
    private val gender = decoding.optional(manifest, "gender", listOf(1, grid.count, 1))

    // Which cells were kept, for the heads that are read afterwards.
    private val kept = IntArray(grid.count)

    override fun candidates(): Candidates = Candidates(grid.count, points != null, gender != null)

    override fun decode(outputs: Outputs, threshold: Double, into: Candidates) {
        val logits = outputs[score]
        val raw = outputs[box]
        val limit = logit(threshold)
        var count = 0
        for (cell in 0 until grid.count) {
            if (!(logits[cell] > limit)) continue
            val stride = grid.strides[cell]
            val at = Candidates.BOX * cell
            into.scores[count] = sigmoid(logits[cell])
            into.box(
                count,
                grid.centres[2 * cell] + stride * raw[at],
                grid.centres[2 * cell + 1] + stride * raw[at + 1],
                0.5f * stride * exp(min(raw[at + 2], MAX_LOG)),
                0.5f * stride * exp(min(raw[at + 3], MAX_LOG)),
            )
            kept[count++] = cell
        }
        into.count = count
        if (points != null) fivePoints(outputs[points], into)
        if (gender != null) genders(outputs[gender], into)
    }

    private fun fivePoints(raw: FloatArray, into: Candidates) {
        val target = into.points ?: return
        for (index in 0 until into.count) {
            val cell = kept[index]
            for (value in 0 until Candidates.POINTS) {
                target[Candidates.POINTS * index + value] =
                    grid.centres[2 * cell + value % 2] + grid.strides[cell] * raw[Candidates.POINTS * cell + value]
            }
        }
    }

    private fun genders(raw: FloatArray, into: Candidates) {
        val target = into.gender ?: return
        for (index in 0 until into.count) target[index] = raw[kept[index]]
    }
}
