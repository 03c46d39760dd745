package io.handlens.task

import io.handlens.artifact.Fit
import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import java.lang.management.ManagementFactory

/** The frame loop allocates nothing once it has seen a frame: no pause for the garbage collector on a phone. */
class AllocationTest {
    private val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    private val frames = listOf<RgbImage>(
        Patterns.generate("face", 1, 320, 240, 3),
        Patterns.generate("noise", 2, 320, 240, 3),
    )

    /**
     * Bytes that some rounds of [round] allocate, after the first. So early they are interpreted, as a phone may run
     * them: a compiler that has seen more would remove small objects, and hide them from this test.
     */
    private fun allocated(round: (RgbImage) -> Unit): Long {
        assumeTrue(threads.isThreadAllocatedMemorySupported && threads.isThreadAllocatedMemoryEnabled)
        val id = Thread.currentThread().id
        threads.getThreadAllocatedBytes(id)
        for (index in 0 until 3) round(frames[index % 2])
        val before = threads.getThreadAllocatedBytes(id)
        for (index in 0 until ROUNDS) round(frames[index % 2])
        return threads.getThreadAllocatedBytes(id) - before
    }

    private fun assertNone(bytes: Long) {
        assertTrue(bytes < ROUNDS * SMALLEST) { "$ROUNDS frames allocated $bytes bytes" }
    }

    @Test
    fun `finding faces`() {
        val cells = 32 * 32 + 16 * 16 + 8 * 8
        val manifest = described(
            "face-detector",
            input(256, 256, Fit.LETTERBOX),
            mapOf("score" to 1, "box" to 4, "points" to 10, "gender" to 1).mapValues { listOf(1, cells, it.value) },
            """{"kind": "cells", "strides": [8, 16, 32], "nms": "weighted"}""",
        )
        val answer = manifest.outputs.associate { it.name to FloatArray(it.elements) { at -> at % 13 / 4f - 1.5f } }
        FaceDetector.load(artifact(manifest), fixed(answer)).use { detector ->
            val buffer = FaceBuffer()
            assertNone(allocated { detector.detect(it, buffer) })
            assertTrue(buffer.size > 5) { "only ${buffer.size} faces" }
        }
    }

    @Test
    fun `embedding a face`() {
        val manifest = described("face-verifier", input(112, 112, Fit.ALIGN), mapOf("embedding" to listOf(1, 128)))
        val answer = mapOf("embedding" to FloatArray(128) { it % 7 - 2.5f })
        val points = doubleArrayOf(100.0, 80.0, 160.0, 85.0, 128.0, 120.0, 105.0, 150.0, 150.0, 155.0)
        FaceVerifier.load(artifact(manifest), fixed(answer)).use { verifier ->
            val template = FloatArray(verifier.dimension)
            val other = FloatArray(verifier.dimension) { 1f }
            assertNone(
                allocated {
                    verifier.embed(it, points, template)
                    verifier.compare(template, other)
                },
            )
        }
    }

    @Test
    fun `embedding a person`() {
        val manifest = described("reid", input(160, 80), mapOf("embedding" to listOf(1, 256)))
        val answer = mapOf("embedding" to FloatArray(256) { it % 7 - 2.5f })
        PersonReidentifier.load(artifact(manifest), fixed(answer)).use { model ->
            val template = FloatArray(model.dimension)
            assertNone(allocated { model.embed(it, template) })
        }
    }

    @Test
    fun `segmenting`() {
        val manifest = described(
            "person-mask",
            input(64, 48, Fit.CROP),
            mapOf("mask" to listOf(1, 32, 24, 1), "classes" to listOf(1, 16, 12, 4), "class" to listOf(1, 3)),
            """{"kind": "mask"}""",
        )
        val answer = manifest.outputs.associate { it.name to FloatArray(it.elements) { at -> at % 13 / 4f - 1.5f } }
        Segmenter.load(artifact(manifest), fixed(answer)).use { segmenter ->
            val buffer = SegmentationBuffer()
            assertNone(allocated { segmenter.segment(it, buffer) })
            assertEquals("class 2", buffer.className)
        }
    }

    @Test
    fun `an allocation would be seen`() {
        var kept = ByteArray(0)
        assertTrue(allocated { kept = ByteArray(it.width) } > ROUNDS * SMALLEST)
        assertEquals(240, kept.size)
    }

    private fun fixed(answer: Map<String, FloatArray>) = io.handlens.engine.EngineFactory { artifact, _ ->
        FakeEngine(artifact.manifest) { answer }.also { it.keeps = false }
    }

    private companion object {
        const val ROUNDS = 20

        // No object takes less; a compiler at work in between takes some bytes now and then.
        const val SMALLEST = 16
    }
}
