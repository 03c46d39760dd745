package io.handlens.decode

import io.handlens.artifact.Manifest
import io.handlens.image.Geometry
import io.handlens.task.DetectorOptions
import io.handlens.task.FaceBuffer
import kotlin.math.max
import kotlin.math.min

/**
 * From a detector's raw outputs to faces in the image: decode, suppress, map back, cut off at the edges.
 *
 * All work space is made once; [read] allocates nothing. Not thread-safe.
 *
 * @throws io.handlens.ManifestInvalid the decoding or the outputs are not those of a detector.
 */
internal class FaceReader(manifest: Manifest, options: DetectorOptions) {
    private val decoding = Decoding.of(manifest)
    private val decoder = Decoder.of(manifest, decoding)

    /** The options in force, the manifest's values filled in. */
    val options: DetectorOptions = options.copy(
        scoreThreshold = options.scoreThreshold ?: decoding.scoreThreshold,
        nmsIou = options.nmsIou ?: decoding.nmsIou,
    )

    /** What the last [read] found before suppression. */
    val found: Candidates = decoder.candidates()

    /** How the last [read] grouped it. */
    val suppression: Suppression = Suppression(found.capacity)

    private val threshold = options.scoreThreshold ?: decoding.scoreThreshold
    private val iou = options.nmsIou ?: decoding.nmsIou
    private val weights = FloatArray(found.capacity)
    private val box = FloatArray(Candidates.BOX)
    private val pairs = FloatArray(Candidates.POINTS)

    /**
     * Fills [into] with the faces of an image of [width] x [height] pixels.
     *
     * @return false where a box is not finite: the engine is wrong, and [into] is empty.
     */
    fun read(outputs: Outputs, geometry: Geometry, width: Int, height: Int, into: FaceBuffer): Boolean {
        into.size = 0
        into.hasPoints = found.points != null
        into.hasGender = found.gender != null
        decoder.decode(outputs, threshold, found)
        if (!found.finite()) return false
        suppression.group(found.boxes, found.scores, found.count, iou, options.maxFaces)
        for (group in 0 until suppression.groups) {
            if (into.size == into.capacity) break
            face(group, geometry, width, height, into)
        }
        return true
    }

    private fun face(group: Int, geometry: Geometry, width: Int, height: Int, into: FaceBuffer) {
        val from = suppression.start(group)
        val count = suppression.start(group + 1) - from
        merge(from, count)
        val x1 = cut(geometry.inverseX(box[0].toDouble()), width)
        val y1 = cut(geometry.inverseY(box[1].toDouble()), height)
        val x2 = cut(geometry.inverseX(box[2].toDouble()), width)
        val y2 = cut(geometry.inverseY(box[3].toDouble()), height)
        // A box on the border of the letterbox alone is cut to nothing here.
        val least = min(x2 - x1, y2 - y1)
        if (least <= 0 || least < options.minSize) return
        val best = suppression.members[from]
        val index = into.size++
        val at = FaceBuffer.BOX * index
        into.boxes[at] = x1
        into.boxes[at + 1] = y1
        into.boxes[at + 2] = x2
        into.boxes[at + 3] = y2
        into.scores[index] = found.scores[best].toDouble()
        if (into.hasPoints) {
            for (value in 0 until Candidates.POINTS) {
                val place = pairs[value].toDouble()
                into.points[FaceBuffer.POINTS * index + value] =
                    if (value % 2 == 0) geometry.inverseX(place) else geometry.inverseY(place)
            }
        }
        found.gender?.let { into.genderLogits[index] = it[best].toDouble() }
    }

    /** Sets [box] and [pairs] to the best's, or to the group's means weighted by score. */
    private fun merge(from: Int, count: Int) {
        var sum = 0f
        if (decoding.weighted && count > 1) {
            for (index in 0 until count) weights[index] = found.scores[suppression.members[from + index]]
            sum = pairwiseSum(weights, 0, count)
        }
        // The sum is 0 where all scores are too small for a float32, which takes a threshold of 0.
        val members = if (sum > 0f) count else 1
        mean(found.boxes, box, from, members, sum)
        found.points?.let { mean(it, pairs, from, members, sum) }
    }

    /** As NumPy's average of float32: products summed one after another, then divided. */
    private fun mean(values: FloatArray, into: FloatArray, from: Int, count: Int, sum: Float) {
        val size = into.size
        if (count == 1) {
            values.copyInto(into, 0, size * suppression.members[from], size * suppression.members[from] + size)
            return
        }
        into.fill(0f)
        for (index in 0 until count) {
            val member = size * suppression.members[from + index]
            for (value in 0 until size) into[value] += values[member + value] * weights[index]
        }
        for (value in 0 until size) into[value] /= sum
    }

    private fun cut(value: Double, most: Int): Double = min(max(value, 0.0), most.toDouble())
}
