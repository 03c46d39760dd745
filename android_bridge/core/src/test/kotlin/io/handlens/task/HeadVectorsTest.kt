package io.handlens.task

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
