package io.handlens.task

import io.handlens.ImageShapeError
import io.handlens.artifact.Json
import io.handlens.artifact.JsonObject
import io.handlens.artifact.Manifest
import io.handlens.decode.Draws
import io.handlens.decode.asText
import io.handlens.decode.doubles
import io.handlens.decode.flag
import io.handlens.decode.int
import io.handlens.decode.items
import io.handlens.decode.number
import io.handlens.decode.text
import io.handlens.image.Patterns
import io.handlens.testing.Golden
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.MessageDigest
import kotlin.math.abs

class HeadVectorsTest {
    private val json = Json.parse(Golden.file("heads.json").readText(), "heads.json") as JsonObject

    @Test
    fun `labels of heads and confidences are Python's`() {
        var worst = 0.0
        val rows = json["attributes"].items.map { it as JsonObject }
        for (row in rows) {
            val manifest = Manifest.parse(row["manifest"].asText())
            val draws = Draws(row["seed"].int.toLong())
            val (low, step, levels) = row["drawn"].doubles.asList()
            val views = List(if (row["mirror"].flag) 2 else 1) {
                manifest.outputs.associate { it.name to draws.values(it.elements, low, step, levels.toInt()) }
            }
            val found = AttributeClassifier.load(artifact(manifest), answering(*views.toTypedArray())).use {
                it.classify(Patterns.generate("noise", 1, 4, 4, 3))
            }
            val expected = (row["answers"] as JsonObject).entries
            assertEquals(expected.keys.toList(), found.heads.keys.toList())
            for ((head, answer) in expected) {
                val numbers = answer.items.drop(1).map { it.number }
                assertEquals(answer.items[0].text, found[head].label, head)
                val confidences = listOf(found[head].confidence) + found[head].confidences.values
                worst = numbers.zip(confidences).fold(worst) { most, (a, b) -> maxOf(most, abs(a - b)) }
            }
        }
        assertTrue(worst < 1e-12, "confidences differ by $worst")
        VectorLog.record("heads", rows.size, worst)
    }

    @Test
    fun `faces are cut out as Python does`() {
        val image = Patterns.generate("figure", 5, 90, 80, 3)
        val rows = json["crops"].items.map { it as JsonObject }
        for (row in rows) {
            val place = row["place"].doubles
            val crop = if (place.size == 4) {
                FaceCrops.crop(image, Box(place[0], place[1], place[2], place[3]))
            } else {
                val points = List(5) { Point(place[2 * it], place[2 * it + 1]) }
                FaceCrops.crop(image, Face(Box(0.0, 0.0, 80.0, 90.0), 1.0, points))
            }
            assertEquals(row["side"].int, crop.width, row["place"].toString())
            val digest = MessageDigest.getInstance("SHA-256").digest(crop.pixels)
            assertEquals(row["sha256"].text, digest.joinToString("") { "%02x".format(it) })
        }
        VectorLog.record("crops", rows.size, 0.0)
    }

    @Test
    fun `a box far from the image, or empty, is no face`() {
        val image = Patterns.generate("figure", 5, 90, 80, 3)
        val bad = listOf(Box(5.0, 5.0, 5.0, 9.0), Box(0.0, 0.0, 1e6, 1.0), Box(0.0, Double.NaN, 9.0, 9.0))
        for (box in bad) assertThrows<ImageShapeError> { FaceCrops.crop(image, box) }
        assertEquals(0, FaceCrops.crop(image, Box(1e9, 1e9, 1e9 + 9, 1e9 + 9)).pixels.count { it != 0.toByte() })
    }

    @Test
    fun `gender is Python's`() {
        val rows = json["genders"].items.map { it as JsonObject }
        for (row in rows) {
            val found = Gender.ofLogit(row["logit"].number)
            assertEquals(row["label"].text, found.label.text)
            assertEquals(row["confidence"].number, found.confidence, 1e-15)
        }
        VectorLog.record("heads", rows.size, 0.0)
    }
}
