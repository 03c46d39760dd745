package io.handlens.parity

import io.handlens.ImageUnreadable
import io.handlens.artifact.Artifact
import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonObject
import io.handlens.engine.jna.LiteRtJnaEngine
import io.handlens.image.Patterns
import io.handlens.task.FaceDetector
import io.handlens.testing.Golden
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File

class CommandLineTest {
    @TempDir
    private lateinit var folder: File

    @Test
    fun `a line of JSON for each picture`() {
        val image = Patterns.generate("face", 1, 480, 640, 3)
        val picture = folder.resolve("a b.ppm").apply { writeBytes("P6\n640 480\n255\n".toByteArray() + image.pixels) }
        val detector = Golden.zoo("face-detector.tflite")
        val lines = told("litert", "detect", detector.path, input = "$picture\n\n$picture\n")
        assertEquals(2, lines.size)
        val faces = (Json.parse(lines[0], "a line") as JsonArray).items
        val expected = FaceDetector.load(Artifact.open(detector.readBytes()), LiteRtJnaEngine).use { it.detect(image) }
        assertEquals(expected.size, faces.size)
        val box = (faces[0] as JsonObject).entries.getValue("box") as JsonArray
        assertEquals(expected[0].box.x1, box.items[0].number)
    }

    @Test
    fun `check names the engine and each golden`() {
        val line = told("onnxruntime", "check", Golden.file("artifacts/tiny_int8.onnx").path).single()
        val told = (Json.parse(line, "a line") as JsonObject).entries
        assertTrue((told.getValue("rows") as JsonArray).items.isNotEmpty())
    }

    @Test
    fun `a file that is no pixmap is refused by name`() {
        val file = folder.resolve("x.ppm").apply { writeText("P6\n3 2\n255\nshort") }
        val error = assertThrows<ImageUnreadable> { Picture.read(file) }
        assertTrue("x.ppm" in error.message.orEmpty()) { "${error.message}" }
        file.writeText("JFIF")
        assertThrows<ImageUnreadable> { Picture.read(file) }
    }

    @Test
    fun `text is quoted as JSON wants it`() {
        val value = mapOf("a \"b\"\n" to listOf(1, 2.5, null, true, "é\\"))
        assertEquals("""{"a \"b\"\u000a":[1,2.5,null,true,"é\\"]}""", jsonLine(value))
    }

    private fun told(vararg arguments: String, input: String = ""): List<String> =
        ArrayList<String>().also { lines -> run(arguments.asList(), input.lineSequence(), lines::add) }
}
