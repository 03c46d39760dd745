package io.handlens.artifact

import io.handlens.ArtifactError
import io.handlens.ArtifactTooLarge
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.NotAnArtifact
import io.handlens.testing.Golden as Files
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.ReadOnlyBufferException
import java.util.Random

class ArtifactTest {
    private val names = listOf("tiny_float32.tflite", "tiny_int8.tflite", "tiny_float32.onnx")

    private fun file(name: String) = Files.file("artifacts/$name").readBytes()

    @Test
    fun `what was written is read, and the model is byte for byte the converter's`() {
        for (name in names) {
            val artifact = Artifact.open(file(name), name)
            val model = artifact.model
            assertTrue(model.isDirect && model.isReadOnly && model.order() == ByteOrder.nativeOrder())
            assertArrayEquals(Files.file("models/$name").readBytes(), ByteArray(model.remaining()).also(model::get))
            assertThrows<ReadOnlyBufferException> { artifact.model.put(0, 1) }
            val manifest = artifact.manifest
            assertEquals("reid", manifest.task)
            assertEquals(listOf("häkchen", "\uD83D\uDE00"), manifest.labels)
            assertEquals(JsonBoolean(true), manifest.decoding["mirror"])
            val strides = (manifest.decoding["strides"] as JsonArray).items
            assertEquals(listOf(JsonNumber(8.0, 8), JsonNumber(16.5), JsonNull), strides)
            assertEquals(Threshold(0.01, 0.5, 1000, 0.004, 0.02), manifest.thresholds.single())
            assertEquals(listOf(1, 16, 8, 3), manifest.input.shape)
            assertEquals(4, artifact.goldens.size)
            assertEquals("[0.5, 1.0]", artifact.extra("cmc.json")?.decodeToString())
            assertNull(artifact.extra("titles.json"))
        }
    }

    @Test
    fun `a mapped buffer is not copied`() {
        val bytes = file(names[0])
        val buffer = ByteBuffer.allocateDirect(bytes.size + 3)
        buffer.position(3)
        buffer.put(bytes)
        buffer.position(3)
        val artifact = Artifact.open(buffer)
        assertEquals(3, buffer.position())
        val before = artifact.model.get(40)
        buffer.put(43, (before + 1).toByte())
        assertEquals((before + 1).toByte(), artifact.model.get(40))
    }

    @Test
    fun `every artifact of the zoo is read`() {
        val files = Files.root.resolve("zoo/handlens_zoo/artifacts").listFiles().orEmpty()
            .filter { it.extension == "tflite" || it.extension == "onnx" }
        assertTrue(files.size >= 8)
        for (file in files) {
            val artifact = Artifact.open(file.readBytes(), file.name)
            assertTrue(artifact.manifest.metrics.isNotEmpty(), file.name)
        }
    }

    @Test
    fun `more bytes than allowed are refused before anything else`() {
        val bytes = file(names[0])
        assertEquals(bytes.size, Artifact.open(bytes, "a", bytes.size).size)
        val error = assertThrows<ArtifactTooLarge> { Artifact.open(bytes, "a", bytes.size - 1) }
        assertTrue("a has ${bytes.size} bytes; at most ${bytes.size - 1}" in error.message.orEmpty())
    }

    @Test
    fun `a plain model needs a manifest brought along`() {
        for (name in names) {
            val plain = Files.file("models/$name").readBytes()
            val error = assertThrows<NotAnArtifact> { Artifact.open(plain, name) }
            assertTrue("plain" in error.message.orEmpty() && "Artifact.bring" in error.message.orEmpty())
            val own = Artifact.open(file(name))
            val brought = Artifact.bring(ByteBuffer.wrap(plain), own.manifest.copy(modelId = ""))
            assertEquals(own.manifest, brought.manifest)
            assertTrue(brought.goldens.isEmpty())
            assertThrows<InputError> { Artifact.bring(ByteBuffer.wrap(file(name)), own.manifest) }
            val other = names.first { it.endsWith(".onnx") != name.endsWith(".onnx") }
            val stranger = ByteBuffer.wrap(Files.file("models/$other").readBytes())
            assertThrows<ManifestInvalid> { Artifact.bring(stranger, own.manifest) }
            assertThrows<NotAnArtifact> { Artifact.bring(ByteBuffer.wrap(plain.copyOf(plain.size / 2)), own.manifest) }
        }
    }

    @Test
    fun `no cut and no changed byte is accepted, and nothing but an artifact error comes of it`() {
        val random = Random(11)
        for (name in names) {
            val whole = file(name)
            for (cut in whole.indices step 17) assertThrows<ArtifactError> { Artifact.open(whole.copyOf(cut)) }
            repeat(1500) {
                val edited = whole.copyOf()
                repeat(1 + random.nextInt(4)) { edited[random.nextInt(whole.size)] = random.nextInt(256).toByte() }
                // Half of them by somebody who can compute SHA-256.
                val bytes = if (it % 2 == 0) edited else sealed(edited)
                try {
                    Artifact.open(bytes)
                    assertArrayEquals(whole, bytes)
                } catch (_: ArtifactError) {
                    // As it should be.
                }
            }
        }
    }
}
