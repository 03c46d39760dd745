package io.handlens.decode

import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Test

class NmsVectorsTest {
    private fun groups(boxes: FloatArray, scores: FloatArray, iou: Double, most: Int): List<List<Int>> {
        val suppression = Suppression(scores.size)
        suppression.group(boxes, scores, scores.size, iou, most)
        return List(suppression.groups) { group ->
            suppression.members.slice(suppression.start(group) until suppression.start(group + 1))
        }
    }

    @Test
    fun `groups are Python's`() {
        val rows = rows("nms.json")
        for (row in rows) {
            val boxes = row["boxes"].items.flatMap { it.floats.asList() }.toFloatArray()
            val found = groups(boxes, row["scores"].floats, row["iou"].number, row["most"].int)
            assertEquals(row["groups"].items.map { it.ints }, found)
        }
        VectorLog.record("nms", rows.size, 0.0)
    }

    @Test
    fun `a comparison in float64 would be seen`() {
        val row = rows("nms.json").first()
        val boxes = row["boxes"].items.flatMap { it.floats.asList() }.toFloatArray()
        // The float32 below 0.4 is what a limit of 0.4 looks like to who widens the overlap instead.
        val found = groups(boxes, row["scores"].floats, Math.nextDown(0.4f).toDouble(), row["most"].int)
        assertNotEquals(row["groups"].items.map { it.ints }, found)
    }

    @Test
    fun `scores of either sign and of both zeros are sorted`() {
        val boxes = FloatArray(20) { (it / 4 * 10 + it % 4 / 2 * 5).toFloat() }
        val found = groups(boxes, floatArrayOf(-1f, 0f, -0f, 3f, -2f), 0.5, 9)
        assertEquals(listOf(listOf(3), listOf(1), listOf(2), listOf(0), listOf(4)), found)
    }
}
