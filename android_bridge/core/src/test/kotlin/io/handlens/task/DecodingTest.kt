package io.handlens.task

import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Fit
import io.handlens.artifact.Manifest
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource

/** A decoding that does not fit is explained, in the words that Python has for it. */
class DecodingTest {
    private val heads = mapOf("score" to listOf(1, 96, 1), "box" to listOf(1, 96, 4))

    private fun detector(decoding: String): FaceDetector {
        val manifest = described("face-detector", input(64, 96), heads, decoding)
        return FaceDetector.load(artifact(manifest), answering(emptyMap()))
    }

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        value = [
            """{}                                                              | decoding lacks kind, strides""",
            """{"kind": "ssd", "strides": [8]}                                 | valid: cells, yunet, blazeface""",
            """{"kind": "cells", "strides": []}                                | strides is []""",
            """{"kind": "cells", "strides": [8, 0]}                            | strides is [8, 0]""",
            """{"kind": "cells", "strides": [8.0]}                             | expected a whole number""",
            """{"kind": "cells", "strides": 8}                                 | expected a list""",
            """{"kind": "cells", "strides": [10]}                              | stride 10 does not divide""",
            """{"kind": "cells", "strides": [16]}                              | has shape [1, 96, 1]""",
            """{"kind": "cells", "strides": [8], "score_threshold": 1.5}       | score_threshold is 1.5; valid""",
            """{"kind": "cells", "strides": [8], "nms_iou": true}              | expected a finite number""",
            """{"kind": "cells", "strides": [8], "nms": "soft"}                | valid: best, weighted""",
            """{"kind": "cells", "strides": [8], "anchors": [1, 2]}            | anchors is [1, 2]""",
            """{"kind": "cells", "strides": [8], "threshold": 0.5}             | unknown key 'threshold'; valid""",
            """{"kind": "cells", "strides": [8], "outputs": {"score": "gone"}} | needs an output 'score'""",
            """{"kind": "cells", "strides": [8], "outputs": {"score": 3}}      | expected text""",
        ],
    )
    fun `a detector's`(decoding: String, says: String) {
        val message = assertThrows<ManifestInvalid> { detector(decoding) }.message.orEmpty()
        assertTrue(says in message, message)
    }

    @Test
    fun `an output may bear another name`() {
        val manifest = described(
            "face-detector",
            input(64, 96),
            mapOf("logits" to listOf(1, 96, 1), "box" to listOf(1, 96, 4)),
            """{"kind": "cells", "strides": [8], "outputs": {"score": "logits"}}""",
        )
        val answer = mapOf("logits" to FloatArray(96) { if (it == 5) 9f else -9f }, "box" to FloatArray(384))
        val found = FaceDetector.load(artifact(manifest), answering(answer)).use {
            it.detect(io.handlens.image.Patterns.generate("noise", 1, 64, 96, 3))
        }
        assertEquals(listOf(Box(40.0, 0.0, 48.0, 8.0)), found.map { it.box })
    }

    @Test
    fun `aligned faces are no input for a detector, nor whole pictures for a verifier`() {
        val aligned = described("face-detector", input(64, 96, Fit.ALIGN), heads, CELLS)
        assertThrows<ManifestInvalid> { FaceDetector.load(artifact(aligned), answering(emptyMap())) }
        val whole = described("face-verifier", input(64, 96), mapOf("embedding" to listOf(1, 4)))
        assertThrows<ManifestInvalid> { FaceVerifier.load(artifact(whole), answering(emptyMap())) }
    }

    private fun mask(
        decoding: String,
        outputs: Map<String, List<Int>>,
        labels: List<String> = emptyList(),
        fit: Fit = Fit.RESIZE,
    ): Manifest = described("person-mask", input(8, 8, fit), outputs, decoding, labels)

    @Test
    fun `a segmenter's`() {
        val map = mapOf("mask" to listOf(1, 4, 4, 1))
        val classes = map + ("classes" to listOf(1, 4, 4, 3))
        val kind = """{"kind": "mask"}"""
        val cases = listOf(
            "needs an output 'mask'" to mask(kind, mapOf("alpha" to listOf(1, 4, 4, 1))),
            "needs an output 'mask'" to mask(kind, mapOf("mask" to listOf(1, 4, 4, 2))),
            "K of 2 to 255" to mask(kind, map + ("classes" to listOf(1, 4, 4, 1))),
            "a segmenter takes" to mask(kind, map, fit = Fit.ALIGN),
            "which 2 labels do not fit" to mask(LABELLED, classes, listOf("a", "b")),
            "which 3 labels do not fit" to mask(LABELLED, classes, listOf("a", "b", "b")),
            "names 'alpha'; valid: mask" to mask("""{"kind": "mask", "outputs": {"alpha": "mask"}}""", map),
            "valid: sigmoid, none" to mask("""{"kind": "mask", "activation": "relu"}""", map),
        )
        for ((says, manifest) in cases) {
            val error = assertThrows<ManifestInvalid> { Segmenter.load(artifact(manifest), answering(emptyMap())) }
            assertTrue(says in error.message.orEmpty(), error.message)
        }
        val found = mask("""{"kind": "mask", "labels_of": null}""", classes)
        Segmenter.load(artifact(found), answering(emptyMap())).close()
        val other = assertThrows<OptionError> { Segmenter.load(artifact(mask("{}", map)), answering(emptyMap())) }
        assertTrue("says nothing of masks" in other.message.orEmpty())
    }

    @Test
    fun `an attribute classifier's`() {
        val shapes = mapOf("shirt" to listOf(1, 2), "hat" to listOf(1, 2))
        val cases = listOf(
            "decoding lacks kind, labels" to "{}",
            "the outputs are shirt, hat" to """{"kind": "heads", "labels": {"shirt": ["a", "b"]}}""",
            "has 1 labels" to """{"kind": "heads", "labels": {"shirt": ["a", "b"], "hat": ["c"]}}""",
            "each once" to """{"kind": "heads", "labels": {"shirt": ["a", "a"], "hat": ["c", "d"]}}""",
            "expected true or false" to
                """{"kind": "heads", "labels": {"shirt": ["a", "b"], "hat": ["c", "d"]}, "mirror": 1}""",
        )
        for ((says, decoding) in cases) {
            val manifest = described("attributes", input(4, 4), shapes, decoding)
            val error =
                assertThrows<ManifestInvalid> { AttributeClassifier.load(artifact(manifest), answering(emptyMap())) }
            assertTrue(says in error.message.orEmpty(), error.message)
        }
    }

    @Test
    fun `a gender model has one number, the logit of female`() {
        val cases = listOf(
            "one output" to described("gender", input(4, 4), mapOf("a" to listOf(1, 1), "b" to listOf(1, 1))),
            "expected one number" to described("gender", input(4, 4), mapOf("a" to listOf(1, 2))),
            "labels are" to
                described("gender", input(4, 4), mapOf("a" to listOf(1, 1)), labels = listOf("female", "male")),
        )
        for ((says, manifest) in cases) {
            val error =
                assertThrows<ManifestInvalid> { GenderClassifier.load(artifact(manifest), answering(emptyMap())) }
            assertTrue(says in error.message.orEmpty(), error.message)
        }
    }

    private companion object {
        const val CELLS = """{"kind": "cells", "strides": [8]}"""
        const val LABELLED = """{"kind": "mask", "labels_of": "classes"}"""
    }
}
