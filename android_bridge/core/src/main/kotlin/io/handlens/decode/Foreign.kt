package io.handlens.decode

import io.handlens.artifact.Manifest
import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/**
 * YuNet (Wu, Peng, Yu 2023), as OpenCV's FaceDetectorYN reads it.
 *
 * For each stride s the outputs `cls_s` (1, N, 1), `obj_s` (1, N, 1), `bbox_s` (1, N, 4), `kps_s` (1, N, 10). The score
 * is sqrt(cls * obj), both cut to 0..1. Positions count from the cell's corner, (column + dx) * s; sizes are
 * s * exp(log w, log h).
 */
internal class Yunet(manifest: Manifest, decoding: Decoding) : Decoder {
    private class Level(val stride: Float, val grid: Grid, val names: List<String>)

    private val levels = decoding.strides.map { stride ->
        val grid = Grid(manifest, listOf(stride), listOf(1))
        val sizes = listOf("cls" to 1, "obj" to 1, "bbox" to Candidates.BOX, "kps" to Candidates.POINTS)
        Level(
            stride.toFloat(),
            grid,
            sizes.map { (name, size) -> decoding.named(manifest, "${name}_$stride", listOf(1, grid.count, size)) },
        )
    }

    override fun candidates(): Candidates =
        Candidates(levels.sumOf { it.grid.count }, hasPoints = true, hasGender = false)

    override fun decode(outputs: Outputs, threshold: Double, into: Candidates) {
        into.count = 0
        for (index in levels.indices) level(levels[index], outputs, (threshold * threshold).toFloat(), into)
    }

    private fun level(level: Level, outputs: Outputs, limit: Float, into: Candidates) {
        val (kind, thing, box, five) = level.names
        val kinds = outputs[kind]
        val things = outputs[thing]
        val boxes = outputs[box]
        val points = outputs[five]
        val stride = level.stride
        for (cell in 0 until level.grid.count) {
            val both = cut(kinds[cell]) * cut(things[cell])
            if (!(both > limit)) continue
            val x = level.grid.centres[2 * cell] - stride / 2
            val y = level.grid.centres[2 * cell + 1] - stride / 2
            val at = Candidates.BOX * cell
            val index = into.count++
            into.scores[index] = sqrt(both)
            into.box(
                index,
                x + stride * boxes[at],
                y + stride * boxes[at + 1],
                0.5f * stride * exp(min(boxes[at + 2], MAX_LOG)),
                0.5f * stride * exp(min(boxes[at + 3], MAX_LOG)),
            )
            val target = into.points ?: continue
            for (value in 0 until Candidates.POINTS) {
                val corner = if (value % 2 == 0) x else y
                target[Candidates.POINTS * index + value] = corner + stride * points[Candidates.POINTS * cell + value]
            }
        }
    }

    private fun cut(value: Float): Float = min(max(value, 0f), 1f)
}

/**
 * BlazeFace (Bazarevsky et al. 2019), as MediaPipe's short-range graph reads it.
 *
 * Outputs: `score` (1, N, 1), a logit; `box` (1, N, 16): centre less the anchor's, size, six points less the anchor's
 * centre, all in pixels of the input. An anchor is a cell's centre. The six points (eyes, nose, middle of the mouth,
 * ears) lack the corners of the mouth, so the faces have no points.
 */
internal class BlazeFace(manifest: Manifest, decoding: Decoding) : Decoder {
    private val grid = Grid(manifest, decoding.strides, decoding.anchors.ifEmpty { decoding.strides.map { 1 } })
    private val score = decoding.named(manifest, "score", listOf(1, grid.count, 1))
    private val box = decoding.named(manifest, "box", listOf(1, grid.count, VALUES))

    override fun candidates(): Candidates = Candidates(grid.count, hasPoints = false, hasGender = false)

    override fun decode(outputs: Outputs, threshold: Double, into: Candidates) {
        val logits = outputs[score]
        val raw = outputs[box]
        val limit = logit(threshold)
        into.count = 0
        for (anchor in 0 until grid.count) {
            if (!(logits[anchor] > limit)) continue
            val at = VALUES * anchor
            val index = into.count++
            into.scores[index] = sigmoid(logits[anchor])
            into.box(
                index,
                grid.centres[2 * anchor] + raw[at],
                grid.centres[2 * anchor + 1] + raw[at + 1],
                0.5f * raw[at + 2],
                0.5f * raw[at + 3],
            )
        }
    }

    private companion object {
        const val VALUES = 16
    }
}
