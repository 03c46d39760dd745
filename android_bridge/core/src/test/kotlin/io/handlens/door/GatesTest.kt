package io.handlens.door

import io.handlens.FaceTooSmall
import io.handlens.NoFace
import io.handlens.OptionError
import io.handlens.SeveralFaces
import io.handlens.artifact.JsonBoolean
import io.handlens.artifact.JsonNull
import io.handlens.artifact.JsonValue
import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import io.handlens.task.Box
import io.handlens.task.Face
import io.handlens.task.Point
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.MessageDigest
import kotlin.math.abs

class GatesTest {
    private val rows = golden("gates.json")["rows"].list
    private val gates = Gates()

    @Test
    fun `every gate measures, says and decides what Python's does`() {
        var worst = 0.0
        for (row in rows) {
            val image = draw(row)
            val face = face(row)
            val seen = FaceMeasurer().measure(image, face.points.orEmpty())
            val measured = seen.run { listOf(eyes, inside, yaw, pitch, roll, highlights, clipped, sharpness) }
            measured.zip(row["measures"].list) { own, python -> worst = maxOf(worst, abs(own - python.number)) }
            val verdicts = gates.judge(image, listOf(face))
            assertEquals(row["verdicts"].list.size, verdicts.size)
            verdicts.zip(row["verdicts"].list) { own, python ->
                assertEquals(python["gate"].text, own.gate)
                assertEquals((python["passed"] as JsonBoolean).value, own.passed)
                assertEquals(python["measured"].text, own.measured)
                assertEquals(python["advice"].text, own.advice)
                val error = python["error"].let { if (it == JsonNull) null else it.text }
                assertEquals(error, own.refusal?.let { it::class.simpleName })
            }
            val crop = gates.measurer.smallCrop(image, face.points.orEmpty())
            assertEquals(row["crop"].text, Key.hex(MessageDigest.getInstance("SHA-256").digest(crop.pixels)))
        }
        assertTrue(worst < 1e-9) { "the measures are off by up to $worst" }
        VectorLog.record("gates", rows.size, worst)
    }

    @Test
    fun `copies are told by the same correlations as in Python`() {
        val pairs = golden("gates.json")["pairs"].list
        val worst = pairs.maxOf { pair ->
            val (one, other) = pair.list.take(2).map { rows[it.int] }.map {
                gates.measurer.smallCrop(draw(it), face(it).points.orEmpty())
            }
            maxOf(
                abs(Enrolling.correlation(one, other, mirrored = false) - pair.list[2].number),
                abs(Enrolling.correlation(one, other, mirrored = true) - pair.list[3].number),
            )
        }
        assertTrue(worst < 1e-12) { "the correlations are off by up to $worst" }
        VectorLog.record("gates", pairs.size, worst)
    }

    @Test
    fun `anything but one face is refused at the first gate, and says how many there are`() {
        val image = draw(rows[0])
        val one = face(rows[0])
        assertTrue(gates.judge(image, emptyList()).single().refusal is NoFace)
        assertThrows<NoFace> { gates.require(image, emptyList()) }
        assertEquals("two faces; show one", assertThrows<SeveralFaces> { gates.require(image, listOf(one, one)) }.message)
        val dozen = assertThrows<SeveralFaces> { gates.require(image, List(12) { one }) }
        assertEquals("12 faces", dozen.seen)
        assertThrows<OptionError> { gates.require(image, listOf(one.copy(points = null))) }
    }

    @Test
    fun `small faces in the background count only where the limits say so`() {
        val image = draw(rows[0])
        val passer = Face(Box(0.0, 0.0, 20.0, 30.0), 0.8)
        assertThrows<SeveralFaces> { gates.require(image, listOf(face(rows[0]), passer)) }
        val lenient = Gates(Limits(otherFaces = 0.3))
        assertEquals(face(rows[0]), lenient.require(image, listOf(passer, face(rows[0]))))
    }

    @Test
    fun `a limit that is moved moves the decision`() {
        val strict = Gates(Limits(eyes = 61.0))
        assertThrows<FaceTooSmall> { strict.require(draw(rows[0]), listOf(face(rows[0]))) }
    }

    private fun face(row: JsonValue): Face =
        Face(Box(70.0, 60.0, 170.0, 200.0), 0.9, row["points"].list.map { Point(it.list[0].number, it.list[1].number) })

    /** A pattern, each pixel of which becomes a square of pixels of another gain and lift: see make_gates.py. */
    private fun draw(row: JsonValue): RgbImage {
        val (height, width) = row["size"].list.map { it.int }
        val zoom = row["zoom"].int
        val small = Patterns.generate(row["generator"].text, row["seed"].int.toLong(), height, width, 3)
        val gain = row["gain"].int
        val lift = row["lift"].int
        val pixels = ByteArray(height * zoom * width * zoom * 3) { index ->
            val place = index / 3
            val from = (place / (width * zoom) / zoom * width + place % (width * zoom) / zoom) * 3 + index % 3
            ((small.pixels[from].toInt() and 0xFF) * gain / 256 + lift).coerceIn(0, 255).toByte()
        }
        return RgbImage(pixels, width * zoom, height * zoom)
    }
}
