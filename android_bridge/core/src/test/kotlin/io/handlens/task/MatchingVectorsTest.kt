package io.handlens.task

import io.handlens.InputError
import io.handlens.RateUnsupported
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonValue
import io.handlens.artifact.Manifest
import io.handlens.artifact.Json
import io.handlens.decode.Draws
import io.handlens.decode.asText
import io.handlens.decode.flag
import io.handlens.decode.floats
import io.handlens.decode.given
import io.handlens.decode.int
import io.handlens.decode.items
import io.handlens.decode.number
import io.handlens.image.Patterns
import io.handlens.testing.Golden
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import kotlin.math.abs

class MatchingVectorsTest {
    private val json = Json.parse(Golden.file("matching.json").readText(), "matching.json") as JsonObject
    private val manifest = Manifest.parse(json["manifest"].asText())
    private val points = doubleArrayOf(40.0, 50.0, 72.0, 50.0, 56.0, 70.0, 42.0, 90.0, 70.0, 90.0)

    private fun draw(side: JsonValue?): FloatArray {
        val (seed, count, low, step, levels) = side.items.map { it.number }
        return Draws(seed.toLong()).values(count.toInt(), low, step, levels.toInt())
    }

    /** What the verifier makes of a raw answer of its model. */
    private fun template(raw: FloatArray): FloatArray {
        val output = manifest.outputs.single().copy(shape = listOf(1, raw.size))
        val described = manifest.copy(outputs = listOf(output))
        FaceVerifier.load(artifact(described), answering(mapOf(output.name to raw))).use {
            val into = FloatArray(raw.size)
            it.embed(Patterns.generate("face", 1, 112, 112, 3), points, into)
            return into
        }
    }

    @Test
    fun `templates, similarities and matches are Python's`() {
        var worst = 0.0
        val limits = listOf(0.1, 0.01).map { limit(it) ?: error("no threshold") }
        for (row in json["pairs"].items.map { it as JsonObject }) {
            val pair = listOf("first", "second").map { side ->
                template(draw(row[side])).also { found ->
                    val expected = row["${side}_template"].floats
                    assertArrayEquals(expected, found.copyOf(expected.size), 1e-7f)
                }
            }
            val score = similarity(pair[0], pair[1], pair[0].size)
            worst = maxOf(worst, abs(row["score"].number - score))
            assertEquals(row["match"].items.map { it.flag }, limits.map { score >= it })
        }
        assertTrue(worst < 1e-7, "similarities differ by $worst")
        VectorLog.record("matching", json["pairs"].items.size, worst)
    }

    @Test
    fun `a rate has Python's threshold, or none`() {
        val rows = json["rates"].items.map { it as JsonObject }
        for (row in rows) assertEquals(row.given("value")?.number, limit(row["rate"].number), row.toString())
        VectorLog.record("matching", rows.size, 0.0)
    }

    private fun limit(rate: Double): Double? = FaceVerifier.load(artifact(manifest), answering(emptyMap())).use {
        try {
            it.threshold(rate).value
        } catch (error: RateUnsupported) {
            assertTrue("0.1 (5000 comparisons)" in error.message.orEmpty(), error.message)
            null
        }
    }

    @Test
    fun `what is no template is refused`() {
        val dimension = manifest.outputs.single().elements
        val good = FloatArray(dimension) { 1f }
        for (bad in listOf(FloatArray(dimension), FloatArray(3) { 1f }, good.copyOf().also { it[0] = Float.NaN })) {
            assertThrows<InputError> { similarity(good, bad, dimension) }
        }
        assertEquals(1, json["pairs"].items.first().let { (it as JsonObject)["first"].items[0].int })
    }
}
