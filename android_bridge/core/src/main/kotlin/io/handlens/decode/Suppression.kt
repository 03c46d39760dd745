package io.handlens.decode

import kotlin.math.max
import kotlin.math.min

/**
 * Non-maximum suppression: greedy, by score. Each group is the best detection left and those that overlap it by more
 * than a limit. All in float32 and in Python's order of operations, so that the decisions are Python's.
 *
 * @param capacity the most detections that can be given; nothing is allocated after the constructor.
 */
internal class Suppression(capacity: Int) {
    private val keys = LongArray(capacity)
    private val order = IntArray(capacity)
    private val starts = IntArray(capacity + 1)

    /** Indices of all groups' detections, group after group, each group's best first. */
    val members: IntArray = IntArray(capacity)

    /** How many groups there are, the one with the best score first. */
    var groups: Int = 0
        private set

    /** Where [group] begins in [members]; it ends where the next begins. */
    fun start(group: Int): Int = starts[group]

    /**
     * Groups [count] detections.
     *
     * @param boxes x1, y1, x2, y2 of each.
     * @param scores of equal ones, the earlier is better.
     * @param iou above it a detection is the better one's double, 0..1.
     * @param most groups to make.
     */
    fun group(boxes: FloatArray, scores: FloatArray, count: Int, iou: Double, most: Int) {
        sort(scores, count)
        val limit = iou.toFloat()
        var left = count
        var taken = 0
        groups = 0
        while (left > 0 && groups < most) {
            starts[groups++] = taken
            val best = order[0]
            members[taken++] = best
            var kept = 0
            for (at in 1 until left) {
                val rival = order[at]
                if (overlap(boxes, best, rival) > limit) members[taken++] = rival else order[kept++] = rival
            }
            left = kept
        }
        starts[groups] = taken
    }

    /** By falling score; a key has the score's order in its upper half and the index in its lower. */
    private fun sort(scores: FloatArray, count: Int) {
        for (index in 0 until count) {
            val bits = (scores[index] + 0f).toRawBits() // -0 becomes 0: they are equal
            val rising = if (bits < 0) bits xor Int.MAX_VALUE else bits
            keys[index] = (rising.toLong().inv() shl Int.SIZE_BITS) or index.toLong()
        }
        keys.sort(0, count)
        for (index in 0 until count) order[index] = keys[index].toInt()
    }
}

/** Intersection over union of the boxes [first] and [second] of [boxes], 0..1; 0 where both are empty. */
internal fun overlap(boxes: FloatArray, first: Int, second: Int): Float {
    val a = Candidates.BOX * first
    val b = Candidates.BOX * second
    val across = min(boxes[a + 2], boxes[b + 2]) - max(boxes[a], boxes[b])
    val down = min(boxes[a + 3], boxes[b + 3]) - max(boxes[a + 1], boxes[b + 1])
    val shared = max(across, 0f) * max(down, 0f)
    val size = (boxes[b + 2] - boxes[b]) * (boxes[b + 3] - boxes[b + 1])
    val union = (boxes[a + 2] - boxes[a]) * (boxes[a + 3] - boxes[a + 1]) + size - shared
    return if (union > 0f) shared / max(union, SMALLEST_UNION) else 0f
}

private const val SMALLEST_UNION = 1e-12f
