package io.handlens.door

import io.handlens.GalleryInvalid
import io.handlens.GalleryMismatch
import io.handlens.InputError
import io.handlens.OptionError
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

class GalleryTest {
    @TempDir
    lateinit var folder: File

    private val golden = golden("sealed.json")
    private val model = golden["model_id"].text

    @Test
    fun `a gallery that Python wrote is read, and written to the same bytes`() {
        val data = golden["gallery"].bytes
        val gallery = Gallery.decode(data, model)
        val people = golden["people"].list
        assertEquals(people.flatMap { person -> List(person["count"].int) { person["name"].text } }, gallery.names)
        val expected = ByteBuffer.wrap(people.map { it["templates"].bytes }.reduce(ByteArray::plus))
            .order(ByteOrder.LITTLE_ENDIAN)
        val rows = List(gallery.size) { FloatArray(8) { expected.getFloat() } }
        rows.forEachIndexed { index, row -> assertArrayEquals(row, gallery.template(index), 1e-7f) }
        val parts = GalleryFile.read(data, "golden")
        assertArrayEquals(data, GalleryFile.write(model, 8, parts.names, parts.templates))
        VectorLog.record("gallery", gallery.size, 0.0)
    }

    @Test
    fun `a changed byte, a cut and another model are told apart`() {
        val data = golden["gallery"].bytes
        for (index in data.indices) {
            assertThrows<GalleryInvalid>("byte $index") {
                Gallery.decode(data.copyOf().also { it[index] = (it[index].toInt() xor 0x20).toByte() }, model)
            }
        }
        for (length in listOf(0, 3, 60, data.size / 2, data.size - 1)) {
            assertThrows<GalleryInvalid>("cut to $length") { Gallery.decode(data.copyOf(length), model) }
        }
        assertThrows<GalleryMismatch> { Gallery.decode(data, "f".repeat(32)) }
        assertThrows<GalleryInvalid> { Gallery.load(folder.resolve("nothing"), model) }
    }

    @Test
    fun `an index that lies is refused although the file's hash is right`() {
        val good = FloatArray(8) { if (it == 0) 1f else 0f }
        for (names in listOf(listOf("a", "b"), emptyList())) {
            val parts = GalleryFile.write(model, 8, names, listOf(good))
            assertThrows<GalleryInvalid>("$names") { Gallery.decode(parts, model) }
        }
    }

    @Test
    fun `what was saved is found again, the most alike first`() {
        val gallery = Gallery(model, 3)
        gallery.add("x", floatArrayOf(2f, 0f, 0f))
        gallery.add("y", floatArrayOf(0f, 3f, 0f))
        gallery.add("x", floatArrayOf(2f, 0f, 0f))
        gallery.save(folder.resolve("g"))
        val again = Gallery.load(folder.resolve("g"), model)
        assertEquals(listOf("x", "x", "y"), again.search(floatArrayOf(5f, 1f, 0f), topK = 9).map { it.name })
        assertEquals(1f, again.search(floatArrayOf(0f, 7f, 0f), topK = 1).single().score, 1e-6f)
        assertEquals(listOf("g"), folder.list().orEmpty().toList())
        assertEquals(0, Gallery.decode(Gallery(model, 3).encode(), model).size)
    }

    @Test
    fun `what cannot be compared is refused`() {
        val gallery = Gallery(model, 2)
        for (bad in listOf(floatArrayOf(1f), floatArrayOf(0f, 0f), floatArrayOf(Float.NaN, 1f))) {
            assertThrows<InputError> { gallery.add("a", bad) }
            assertThrows<InputError> { gallery.search(bad) }
        }
        assertThrows<InputError> { gallery.add("", floatArrayOf(1f, 0f)) }
        assertThrows<OptionError> { gallery.search(floatArrayOf(1f, 0f), topK = 0) }
        assertThrows<OptionError> { Gallery("", 2) }
        gallery.add("large", floatArrayOf(3e38f, 3e38f))
        assertEquals(1f, gallery.search(floatArrayOf(1f, 1f)).single().score, 1e-6f)
    }
}
