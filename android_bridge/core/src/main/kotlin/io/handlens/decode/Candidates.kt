package io.handlens.decode

/**
 * Detections before suppression, in arrays that are filled anew for each image.
 *
 * All coordinates are pixels of the model's input.
 *
 * @property capacity the most that a decoder can find: one for each of its cells or anchors.
 * @property boxes x1, y1, x2, y2 of each.
 * @property scores of each, 0..1.
 * @property points x and y of five points of each, in the order of [io.handlens.task.Face.points]; null where the
 *   model gives none.
 * @property gender the logit of female; null where the model does not tell.
 */
internal class Candidates(val capacity: Int, hasPoints: Boolean, hasGender: Boolean) {
    var count: Int = 0
    val boxes: FloatArray = FloatArray(BOX * capacity)
    val scores: FloatArray = FloatArray(capacity)
    val points: FloatArray? = if (hasPoints) FloatArray(POINTS * capacity) else null
    val gender: FloatArray? = if (hasGender) FloatArray(capacity) else null

    /** Writes the box of candidate [index] from its middle and half its size. */
    fun box(index: Int, x: Float, y: Float, halfWidth: Float, halfHeight: Float) {
        val at = BOX * index
        boxes[at] = x - halfWidth
        boxes[at + 1] = y - halfHeight
        boxes[at + 2] = x + halfWidth
        boxes[at + 3] = y + halfHeight
    }

    /** Whether every coordinate of every box is a number. */
    fun finite(): Boolean {
        for (index in 0 until BOX * count) if (!boxes[index].isFinite()) return false
        return true
    }

    companion object {
        const val BOX: Int = 4
        const val POINTS: Int = 10
    }
}
