package io.handlens.decode

import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.JsonObject
import io.handlens.artifact.Manifest
import io.handlens.image.Fitting
import io.handlens.image.Geometry
import io.handlens.task.DetectorOptions
import io.handlens.task.FaceBuffer
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import kotlin.math.abs

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DecodeVectorsTest {
    private val rows = rows("decode.json")

    /** What the library makes of a case. */
    private class Answer(row: JsonObject, options: DetectorOptions = options(row)) {
        val manifest = Manifest.parse(row["manifest"].asText())
        val reader = FaceReader(manifest, options)
        val buffer = FaceBuffer()
        private val image = row["image"].ints
        private val outputs = draw(row, manifest)
        val finite = reader.read(
            Outputs(outputs::getValue),
            geometry(manifest.input, image[0], image[1]),
            image[1],
            image[0],
            buffer,
        )
        val groups = reader.suppression.let { made ->
            List(made.groups) { made.members.slice(made.start(it) until made.start(it + 1)) }
        }
    }

    @Test
    fun `candidates, groups and faces are Python's`() {
        var worst = 0.0
        for (row in rows) {
            val name = row["name"].text
            val answer = Answer(row)
            assertTrue(answer.finite, name)
            assertEquals(row["candidates"].int, answer.reader.found.count, name)
            assertEquals(row["groups"].items.map { it.ints }, answer.groups, name)
            val expected = row["faces"].items.map { it as JsonObject }
            assertEquals(expected.size, answer.buffer.size, name)
            val image = row["image"].ints.max()
            for ((index, face) in expected.withIndex()) {
                worst = maxOf(worst, distance(face, answer.buffer, index) / image)
            }
        }
        // The exponential's last digit is all that may differ: a part in ten million of the image's longer side.
        assertTrue(worst < 1e-5, "boxes and points differ by $worst of the image")
        VectorLog.record("decode", rows.size, worst)
    }

    @Test
    fun `labels of gender and scores are Python's`() {
        for (row in rows) {
            val buffer = Answer(row).buffer
            for ((index, face) in row["faces"].items.map { it as JsonObject }.withIndex()) {
                assertEquals(face["score"].number, buffer[index].score, 1e-6)
                val gender = buffer[index].gender
                val expected = face.given("gender")?.items
                assertEquals(expected?.get(0)?.text, gender?.label?.text)
                if (expected != null) assertEquals(expected[1].number, gender?.confidence ?: 0.0, 1e-6)
            }
        }
    }

    @Test
    fun `another limit gives other groups`() {
        val row = rows.first { it["name"].text == "weighted" }
        val altered = Answer(row, DetectorOptions(nmsIou = 0.3))
        assertTrue(altered.groups != row["groups"].items.map { it.ints })
    }

    @Test
    fun `a small buffer holds the best`() {
        val row = rows.first { it["name"].text == "weighted" }
        val answer = Answer(row)
        val small = FaceBuffer(3)
        val image = row["image"].ints
        val outputs = draw(row, answer.manifest)
        val geometry = geometry(answer.manifest.input, image[0], image[1])
        answer.reader.read(Outputs(outputs::getValue), geometry, image[1], image[0], small)
        assertEquals(answer.buffer.toList().take(3), small.toList())
    }

    private fun distance(face: JsonObject, buffer: FaceBuffer, index: Int): Double {
        var worst = 0.0
        for ((at, value) in face["box"].doubles.withIndex()) {
            worst = maxOf(worst, abs(value - buffer.boxes[4 * index + at]))
        }
        val points = face.given("points")
        assertEquals(points != null, buffer.hasPoints)
        for ((at, value) in (points?.doubles ?: DoubleArray(0)).withIndex()) {
            worst = maxOf(worst, abs(value - buffer.points[10 * index + at]))
        }
        return worst
    }

    private companion object {
        fun options(row: JsonObject): DetectorOptions {
            val given = row.given("options") as JsonObject? ?: return DetectorOptions()
            return DetectorOptions(
                given.given("score_threshold")?.number,
                given.given("nms_iou")?.number,
                given.given("max_faces")?.int ?: 200,
                given.given("min_size")?.number ?: 0.0,
            )
        }

        fun draw(row: JsonObject, manifest: Manifest): Map<String, FloatArray> {
            val draws = Draws(row["seed"].int.toLong())
            val made = manifest.outputs.associate { spec ->
                val (low, step, levels) = (row["drawn"] as JsonObject)[spec.name].doubles.asList()
                spec.name to draws.values(spec.elements, low, step, levels.toInt())
            }
            for (planted in row.given("planted")?.items.orEmpty()) {
                val (name, index, value) = planted.items
                made.getValue(name.text)[index.int] = value.number.toFloat()
            }
            return made
        }

        fun geometry(spec: InputSpec, height: Int, width: Int): Geometry {
            if (spec.fit == Fit.LETTERBOX) {
                val inner = Fitting.inside(height, width, spec.height, spec.width)
                val (left, top) = inner.left.toDouble() to inner.top.toDouble()
                return Geometry(inner.width / width.toDouble(), inner.height / height.toDouble(), left, top)
            }
            val part = if (spec.fit == Fit.CROP) Fitting.centre(height, width, spec.height, spec.width) else null
            val scaleX = spec.width / (part?.width ?: width).toDouble()
            val scaleY = spec.height / (part?.height ?: height).toDouble()
            return Geometry(scaleX, scaleY, -(part?.left ?: 0) * scaleX, -(part?.top ?: 0) * scaleY)
        }
    }
}
