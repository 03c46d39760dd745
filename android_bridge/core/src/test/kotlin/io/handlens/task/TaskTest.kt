package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineWrong
import io.handlens.ImageShapeError
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Colour
import io.handlens.artifact.Fit
import io.handlens.artifact.Layout
import io.handlens.artifact.Manifest
import io.handlens.engine.EngineFactory
import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource

class TaskTest {
    private val cells = described(
        "face-detector",
        input(32, 32, Fit.LETTERBOX),
        mapOf("score" to listOf(1, 16, 1), "box" to listOf(1, 16, 4)),
        """{"kind": "cells", "strides": [8]}""",
    )
    private val colours = described(
        "attributes",
        input(2, 3),
        mapOf("shirt" to listOf(1, 2)),
        """{"kind": "heads", "labels": {"shirt": ["red", "blue"]}, "mirror": true}""",
    )
    private val embedding = described("reid", input(4, 4), mapOf("embedding" to listOf(1, 2)))
    private val picture = Patterns.generate("noise", 1, 40, 40, 3)

    private fun empty(manifest: Manifest) = manifest.outputs.associate { it.name to FloatArray(it.elements) }

    @Test
    fun `an artifact of another task is refused before an engine is opened`() {
        val none = EngineFactory { _, _ -> error("opened") }
        val error = assertThrows<OptionError> { FaceDetector.load(artifact(embedding), none) }
        assertEquals("the artifact drawn is for the task 'reid'; expected 'face-detector'", error.message)
        for (load in listOf(FaceVerifier::load, GenderClassifier::load, AttributeClassifier::load, Segmenter::load)) {
            assertThrows<OptionError> { load(artifact(embedding), none, 1) }
        }
    }

    @Test
    fun `an engine is closed once, and when the task does not take the artifact`() {
        val engines = ArrayList<FakeEngine>()
        val factory = EngineFactory { artifact, _ -> FakeEngine(artifact.manifest) { empty(cells) }.also(engines::add) }
        val detector = FaceDetector.load(artifact(cells), factory)
        assertEquals(emptyList<Face>(), detector.detect(picture))
        detector.close()
        detector.close()
        assertEquals(1, engines.single().closed)
        assertThrows<EngineError> { detector.detect(picture) }
        val half = described("face-detector", cells.input, mapOf("score" to listOf(1, 16, 1)))
        assertThrows<ManifestInvalid> { FaceDetector.load(artifact(half), factory) }
        assertEquals(1, engines.last().closed)
    }

    @Test
    fun `an answer that is not finite is the engine's fault`() {
        val wild = mapOf("score" to FloatArray(16) { 9f }, "box" to FloatArray(64) { Float.NaN })
        FaceDetector.load(artifact(cells), answering(wild)).use {
            assertTrue("fake 1" in assertThrows<EngineWrong> { it.detect(picture) }.message.orEmpty())
        }
        for (bad in listOf(FloatArray(2), floatArrayOf(1f, Float.POSITIVE_INFINITY))) {
            PersonReidentifier.load(artifact(embedding), answering(mapOf("embedding" to bad))).use {
                assertThrows<EngineWrong> { it.embed(picture) }
            }
        }
        AttributeClassifier.load(artifact(colours), answering(mapOf("shirt" to floatArrayOf(0f, Float.NaN)))).use {
            assertThrows<EngineWrong> { it.classify(picture) }
        }
        val mask = described("pets", input(4, 4), mapOf("mask" to listOf(1, 2, 2, 1)), """{"kind": "mask"}""")
        Segmenter.load(artifact(mask), answering(mapOf("mask" to FloatArray(4) { Float.NaN }))).use {
            assertThrows<EngineWrong> { it.segment(picture) }
        }
        val gender = described("gender", input(4, 4), mapOf("gender" to listOf(1, 1)))
        GenderClassifier.load(artifact(gender), answering(mapOf("gender" to floatArrayOf(Float.NaN)))).use {
            assertThrows<EngineWrong> { it.classify(picture) }
        }
    }

    @Test
    fun `a grey image has no colours to compare`() {
        val grey = RgbImage(ByteArray(3 * 40 * 40) { (it / 3 % 100).toByte() }, 40, 40)
        PersonReidentifier.load(artifact(embedding), answering(empty(embedding))).use {
            assertTrue("is grey" in assertThrows<ImageShapeError> { it.embed(grey) }.message.orEmpty())
        }
        val luma = described("reid", input(4, 4, colour = Colour.GREY), mapOf("embedding" to listOf(1, 2)))
        PersonReidentifier.load(artifact(luma), answering(mapOf("embedding" to floatArrayOf(3f, 4f)))).use {
            assertArrayEquals(floatArrayOf(0.6f, 0.8f), it.embed(grey))
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `the mirror turns columns, in either layout`(layout: Layout) {
        for (colour in listOf(Colour.RGB, Colour.BGR)) {
            val spec = input(2, 3, colour = colour, layout = layout)
            val engines = ArrayList<FakeEngine>()
            val factory =
                EngineFactory { artifact, _ -> FakeEngine(artifact.manifest) { empty(colours) }.also(engines::add) }
            val pixels = RgbImage(ByteArray(18) { it.toByte() }, 3, 2)
            AttributeClassifier.load(artifact(colours.copy(input = spec)), factory).use { it.classify(pixels) }
            val (straight, mirrored) = engines.single().feeds
            for (row in 0..1) for (column in 0..2) for (channel in 0..2) {
                fun at(column: Int) =
                    if (layout == Layout.NHWC) (row * 3 + column) * 3 + channel else channel * 6 + row * 3 + column
                val expected = (row * 3 + column) * 3 + if (colour == Colour.BGR) 2 - channel else channel
                assertEquals(expected.toFloat(), straight[at(column)])
                assertEquals(expected.toFloat(), mirrored[at(2 - column)])
            }
        }
    }

    @Test
    fun `attributes name what they have`() {
        val answer = mapOf("shirt" to floatArrayOf(1f, 3f))
        val found = AttributeClassifier.load(artifact(colours), answering(answer)).use { it.classify(picture) }
        assertEquals(mapOf("shirt" to "blue"), found.labels())
        assertEquals(listOf("red", "blue"), found["shirt"].confidences.keys.toList())
        val error = assertThrows<InputError> { found["hat"] }
        assertEquals("the model has no head 'hat'; it has shirt", error.message)
    }

    @Test
    fun `options out of range are refused by name`() {
        val bad = listOf<Pair<String, () -> DetectorOptions>>(
            "scoreThreshold is 1.5" to { DetectorOptions(scoreThreshold = 1.5) },
            "nmsIou is NaN" to { DetectorOptions(nmsIou = Double.NaN) },
            "maxFaces is 0" to { DetectorOptions(maxFaces = 0) },
            "minSize is -1.0" to { DetectorOptions(minSize = -1.0) },
        )
        for ((says, make) in bad) assertTrue(says in assertThrows<OptionError> { make() }.message.orEmpty())
        FaceDetector.load(artifact(cells), answering(empty(cells)), DetectorOptions(maxFaces = 7)).use {
            assertEquals(DetectorOptions(0.5, 0.4, 7, 0.0), it.options)
        }
    }

    @Test
    fun `a face without points cannot be embedded`() {
        val manifest = described("face-verifier", input(16, 16, Fit.ALIGN), mapOf("embedding" to listOf(1, 2)))
        FaceVerifier.load(artifact(manifest), answering(empty(manifest))).use {
            assertThrows<InputError> { it.embed(picture, Face(Box(1.0, 1.0, 9.0, 9.0), 0.9)) }
            assertThrows<InputError> { it.compare(floatArrayOf(1f, 0f), floatArrayOf(1f)) }
            assertEquals(-1.0, it.compare(floatArrayOf(2f, 0f), floatArrayOf(-3f, 0f)))
        }
    }
}
