package io.handlens.parity

import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonBoolean
import io.handlens.engine.jna.LiteRtJnaEngine
import io.handlens.task.AttributeClassifier
import io.handlens.task.Box
import io.handlens.task.DetectorOptions
import io.handlens.task.Face
import io.handlens.task.FaceCrops
import io.handlens.task.FaceDetector
import io.handlens.task.FaceVerifier
import io.handlens.task.Gender
import io.handlens.task.GenderClassifier
import io.handlens.task.PersonReidentifier
import io.handlens.task.Point
import io.handlens.task.Segmenter
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
import java.security.MessageDigest

/** The zoo's artifacts on LiteRT and drawn pictures: the tasks decide as Python's do. */
class ZooAnswersTest {
    @ParameterizedTest
    @ValueSource(strings = ["face-detector.tflite", "face-detector-nano.tflite"])
    fun `faces are Python's`(file: String) {
        val artifact = Answers.artifact(file)
        val scores = Distance(SCORE)
        val pixels = Distance(PIXELS)
        for (row in Answers.of(file)) {
            val options = DetectorOptions(scoreThreshold = row.given("score_threshold")?.number)
            val found = FaceDetector.load(artifact, LiteRtJnaEngine, options).use { it.detect(row.picture) }
            val expected = row["faces"].items.map { it.entries }
            assertEquals(expected.size, found.size) { "${row["picture"]}: $found" }
            for ((face, answer) in found.zip(expected)) {
                scores.between(answer["score"].number, face.score, "score")
                val box = listOf(face.box.x1, face.box.y1, face.box.x2, face.box.y2)
                pixels.between(answer["box"].doubles, box, "box")
                val points = face.points.orEmpty().flatMap { listOf(it.x, it.y) }
                pixels.between(answer["points"].items.flatMap { it.doubles }, points, "points")
                gender(answer["gender"] as JsonArray, checkNotNull(face.gender), scores)
            }
        }
        VectorLog.record("answers", Answers.of(file).size, scores.worst)
    }

    @Test
    fun `templates and matches are Python's`() {
        val file = "face-verifier.tflite"
        val scores = Distance(SCORE)
        FaceVerifier.load(Answers.artifact(file), LiteRtJnaEngine).use { verifier ->
            val limits = listOf(0.1, 0.01, 0.001, 0.0001).map { verifier.threshold(it).value }
            var first: FloatArray? = null
            for (row in Answers.of(file)) {
                val points = row["points"].items.map { it.doubles }.map { (x, y) -> Point(x, y) }
                val template = verifier.embed(row.picture, Face(Box(0.0, 0.0, 1.0, 1.0), 1.0, points))
                val score = verifier.compare(first ?: template.also { first = it }, template)
                scores.between(row["score"].number, score, "score")
                scores.between(row["template"].doubles, template.take(8).map { it.toDouble() }, "template")
                assertEquals(row["match"].items.map { (it as JsonBoolean).value }, limits.map { score >= it })
            }
        }
        VectorLog.record("answers", Answers.of(file).size, scores.worst)
    }

    @ParameterizedTest
    @ValueSource(strings = ["reid-small.tflite", "reid-base.tflite"])
    fun `persons are as alike as Python finds them`(file: String) {
        val scores = Distance(SCORE)
        PersonReidentifier.load(Answers.artifact(file), LiteRtJnaEngine).use { model ->
            var first: FloatArray? = null
            for (row in Answers.of(file)) {
                val template = model.embed(row.picture)
                scores.between(row["template"].doubles, template.take(8).map { it.toDouble() }, "template")
                val score = model.compare(first ?: template.also { first = it }, template)
                scores.between(row["score"].number, score, "score")
            }
        }
        VectorLog.record("answers", Answers.of(file).size, scores.worst)
    }

    @Test
    fun `attributes are Python's`() {
        val file = "attributes.tflite"
        val scores = Distance(SCORE)
        AttributeClassifier.load(Answers.artifact(file), LiteRtJnaEngine).use { model ->
            for (row in Answers.of(file)) {
                val found = model.classify(row.picture)
                assertEquals(row["heads"].entries.mapValues { it.value.items[0].text }, found.labels())
                for ((head, answer) in row["heads"].entries) {
                    scores.between(answer.items[1].number, found[head].confidence, head)
                }
            }
        }
        VectorLog.record("answers", Answers.of(file).size, scores.worst)
    }

    @Test
    fun `crops and genders are Python's`() {
        val file = "gender.tflite"
        val scores = Distance(SCORE)
        GenderClassifier.load(Answers.artifact(file), LiteRtJnaEngine).use { model ->
            for (row in Answers.of(file)) {
                val (x1, y1, x2, y2) = row["box"].doubles
                val points = row.given("points")?.items?.map { it.doubles }?.map { (x, y) -> Point(x, y) }
                val crop = FaceCrops.crop(row.picture, Face(Box(x1, y1, x2, y2), 1.0, points))
                assertEquals(row["side"].number.toInt(), crop.width)
                assertEquals(row["crop"].text, sha256(crop.pixels))
                gender(row["gender"] as JsonArray, model.classify(crop), scores)
            }
        }
        VectorLog.record("answers", Answers.of(file).size, scores.worst)
    }

    @ParameterizedTest
    @ValueSource(strings = ["person-mask.tflite", "person-mask-nano.tflite", "pets-mobile.tflite"])
    fun `masks and labels are Python's`(file: String) {
        val levels = Distance(LEVELS)
        val scores = Distance(SCORE)
        Segmenter.load(Answers.artifact(file), LiteRtJnaEngine).use { model ->
            for (row in Answers.of(file)) {
                val found = model.segment(row.picture)
                levels.between(row["alpha"].doubles, sampled(found.alpha), "alpha")
                assertEquals(row.given("labels")?.doubles, found.labels?.let(::sampled))
                assertEquals(row["areas"].entries.keys, found.areas().keys)
                for ((name, share) in row["areas"].entries) {
                    scores.between(share.number, found.areas().getValue(name), name)
                }
                assertEquals(row.given("class")?.text, found.className)
                scores.between(row.given("confidence")?.number ?: -1.0, found.confidence ?: -1.0, "confidence")
                val box = found.box?.let { listOf(it.left, it.top, it.left + it.width, it.top + it.height) }
                assertEquals(row.given("box")?.doubles?.map { it.toInt() }, box)
            }
        }
        VectorLog.record("answers", Answers.of(file).size, levels.worst)
    }

    private fun gender(expected: JsonArray, found: Gender, scores: Distance) {
        assertEquals(expected.items[0].text, found.label.text)
        scores.between(expected.items[1].number, found.confidence, "gender")
    }

    private fun sampled(pixels: ByteArray): List<Double> =
        (pixels.indices step SAMPLED).map { (pixels[it].toInt() and 255).toDouble() }

    private fun sha256(bytes: ByteArray): String =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    private companion object {
        // A step of an int8 output moves a probability by up to a hundredth; kernels may differ by one elsewhere.
        const val SCORE = 0.012
        const val PIXELS = 3.0
        const val LEVELS = 4.0
        const val SAMPLED = 401
    }
}
