package io.handlens.task

import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.JsonObject
import io.handlens.artifact.Manifest
import io.handlens.decode.Draws
import io.handlens.decode.MapPlacer
import io.handlens.decode.asText
import io.handlens.decode.doubles
import io.handlens.decode.given
import io.handlens.decode.int
import io.handlens.decode.ints
import io.handlens.decode.items
import io.handlens.decode.number
import io.handlens.decode.rows
import io.handlens.decode.text
import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Test
import java.security.MessageDigest

class LabelVectorsTest {
    private fun sha256(bytes: ByteArray): String =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    @Test
    fun `a map comes to the image byte for byte`() {
        val rows = rows("mask.json")
        for (row in rows) {
            val (rowCount, columnCount) = row["map"].ints
            val (height, width) = row["image"].ints
            val into = RgbImage(ByteArray(height * width) { 7 }, width, height, channels = 1)
            val map = Patterns.generate(row["generator"].text, row["seed"].int.toLong(), rowCount, columnCount, 1)
            MapPlacer(spec(row)).place(map, into)
            val columns = 0 until width step maxOf(1, width / 16)
            assertEquals(row["row"].ints, columns.map { into.pixels[height / 2 * width + it].toInt() and 255 })
            assertEquals(row["sha256"].text, sha256(into.pixels))
        }
        VectorLog.record("mask", rows.size, 0.0)
    }

    @Test
    fun `a letterbox that is not undone would be seen`() {
        val row = rows("mask.json").first { it["geometry"].text == "letterbox" }
        val (height, width) = row["image"].ints
        val (rowCount, columnCount) = row["map"].ints
        val into = RgbImage(ByteArray(height * width), width, height, channels = 1)
        val map = Patterns.generate(row["generator"].text, row["seed"].int.toLong(), rowCount, columnCount, 1)
        MapPlacer(spec(row).copy(fit = Fit.RESIZE)).place(map, into)
        assertNotEquals(row["sha256"].text, sha256(into.pixels))
    }

    @Test
    fun `masks, labels, boxes and areas are Python's`() {
        val rows = rows("labels.json")
        for (row in rows) {
            val found = segment(row)
            val line = row["image"].ints[0] / 2 * found.width
            assertEquals(row["row"].ints, List(found.width) { found.alpha[line + it].toInt() and 255 })
            assertEquals(row["alpha"].text, sha256(found.alpha))
            assertEquals(row.given("labels")?.text, found.labels?.let(::sha256))
            val limits = listOf(0.0, 0.5, 0.75, 1.0)
            assertEquals(row["masked"].ints, limits.map { limit -> found.mask(limit).count { it } })
            val box = found.box?.let { listOf(it.left, it.top, it.left + it.width, it.top + it.height) }
            assertEquals(row.given("box")?.ints, box)
            val areas = (row["areas"] as JsonObject).entries.mapValues { it.value.number }
            assertEquals(areas, found.areas())
            assertEquals(row.given("class")?.text, found.className)
            assertEquals(row.given("confidence")?.number ?: -1.0, found.confidence ?: -1.0, 1e-12)
        }
        VectorLog.record("labels", rows.size, 0.0)
    }

    private fun segment(row: JsonObject): Segmentation {
        val manifest = Manifest.parse(row["manifest"].asText())
        val draws = Draws(row["seed"].int.toLong())
        val answer = manifest.outputs.associate { spec ->
            val (low, step, levels) = (row["drawn"] as JsonObject)[spec.name].doubles.asList()
            spec.name to draws.values(spec.elements, low, step, levels.toInt())
        }
        val (height, width) = row["image"].ints
        return Segmenter.load(artifact(manifest), answering(answer)).use {
            it.segment(RgbImage(ByteArray(3 * height * width), width, height))
        }
    }

    private fun spec(row: JsonObject): InputSpec {
        val (height, width) = row["input"].ints
        val ones = List(3) { 1.0 }
        val fit = Fit.valueOf(row["geometry"].text.uppercase())
        return InputSpec("image", height, width, 3, scale = ones, offset = ones.map { 0.0 }, fit = fit)
    }
}
