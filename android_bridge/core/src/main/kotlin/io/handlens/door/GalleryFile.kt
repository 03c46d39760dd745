package io.handlens.door

import io.handlens.GalleryInvalid
import io.handlens.ManifestInvalid
import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import java.util.zip.CRC32

/**
 * A gallery's file: a ZIP of `templates.npy` and `gallery.json`, stored, with the SHA-256 of every byte before its comment in
 * the comment. Only a ZIP of exactly the shape that is written here (and by Python) is read.
 */
internal object GalleryFile {
    class Parts(val modelId: String, val dimension: Int, val names: List<String>, val templates: List<FloatArray>)

    private class Entry(val name: ByteArray, val data: ByteArray, val offset: Int) {
        val crc = CRC32().apply { update(data) }.value.toInt()
    }

    private const val SEAL = "handlens-gallery sha256="
    private const val COMMENT = SEAL.length + 64
    private const val LOCAL = 30
    private const val CENTRAL = 46
    private const val END = 22
    private const val START = 10 // bytes of a NumPy file before its description
    private const val DATE = (1 shl 5) or 1 // 1980-01-01
    private const val MODE = 384 shl 16 // 0600
    private val FILES = listOf("templates.npy", "gallery.json")

    fun write(modelId: String, dimension: Int, names: List<String>, templates: List<FloatArray>): ByteArray {
        val values = ByteBuffer.allocate(4 * dimension * templates.size).order(ByteOrder.LITTLE_ENDIAN)
        templates.forEach { row -> row.forEach(values::putFloat) }
        val array = header(templates.size, dimension) + values.array()
        return zip(listOf(array, index(modelId, dimension, names).encodeToByteArray()))
    }

    fun read(data: ByteArray, name: String): Parts {
        if (!data.startsWith("PK\u0003\u0004")) {
            throw GalleryInvalid("$name: not a gallery file; expected one that Gallery.save wrote")
        }
        val body = data.copyOfRange(0, maxOf(0, data.size - COMMENT))
        if (!data.copyOfRange(body.size, data.size).contentEquals(comment(body))) {
            throw GalleryInvalid("$name: the gallery was cut short or changed since it was written; restore it or enrol again")
        }
        try {
            val (array, index) = unzip(body)
            return parts(array, index)
        } catch (error: IllegalArgumentException) {
            throw GalleryInvalid("$name: the gallery's parts cannot be read (${error.message})")
        } catch (error: ManifestInvalid) {
            throw GalleryInvalid("$name: the gallery's parts cannot be read (${error.message})")
        }
    }

    private fun parts(array: ByteArray, text: ByteArray): Parts {
        val index = Json.parse(text.decodeToString(throwOnInvalidSequence = true), "the index") as? JsonObject
        val schema = (index?.get("schema") as? JsonNumber)?.whole
        require(schema == 1L) { "its schema is $schema, not 1: it was written by another version of handlens" }
        val modelId = (index["model_id"] as? JsonText)?.value
        val dimension = (index["dimension"] as? JsonNumber)?.whole?.toInt()
        val names = (index["names"] as? JsonArray)?.items?.map { (it as? JsonText)?.value }
        require(modelId != null && dimension != null && names != null && dimension > 0) {
            "its index lacks its model_id, dimension or names"
        }
        val begin = dataOf(array, names.size, dimension)
        require(array.size.toLong() == begin + 4L * names.size * dimension) { "its templates are cut short" }
        val values = ByteBuffer.wrap(array, begin, array.size - begin).order(ByteOrder.LITTLE_ENDIAN)
        val templates = List(names.size) { FloatArray(dimension) { values.getFloat() } }
        return Parts(modelId, dimension, names.map { requireNotNull(it) { "a name is no text" } }, templates)
    }

    /** Where the numbers of a NumPy file begin, which must be float32 (rows, columns); its padding may differ from ours. */
    private fun dataOf(array: ByteArray, rows: Int, columns: Int): Int {
        require(array.size >= START && array.copyOf(8).contentEquals(header(rows, columns).copyOf(8))) {
            "its .npy part is not of version 1.0"
        }
        val end = START + (array[8].toInt() and 0xFF) + ((array[9].toInt() and 0xFF) shl 8)
        require(end <= array.size) { "its templates are cut short" }
        val expected = header(rows, columns).run { decodeToString(START, size) }.trim()
        require(array.decodeToString(START, end).trim() == expected) {
            "its templates are no float32 ($rows, $columns), as its index says"
        }
        return end
    }

    /** The start of a NumPy file, version 1.0, of float32 (rows, columns), padded to whole 64 bytes. */
    private fun header(rows: Int, columns: Int): ByteArray {
        val text = "{'descr': '<f4', 'fortran_order': False, 'shape': ($rows, $columns), }"
        // NumPy leaves room for the first number to grow to 21 digits, then pads to whole 64 bytes.
        val grown = text + " ".repeat(21 - rows.toString().length)
        val padded = grown + " ".repeat(64 - (10 + grown.length + 1) % 64) + "\n"
        val length = byteArrayOf(padded.length.toByte(), (padded.length shr 8).toByte())
        return byteArrayOf(0x93.toByte()) + "NUMPY".encodeToByteArray() + byteArrayOf(1, 0) + length +
            padded.encodeToByteArray()
    }

    private fun index(modelId: String, dimension: Int, names: List<String>): String = buildString {
        append("{\n \"schema\": 1,\n \"model_id\": ")
        quote(this, modelId, plain = true)
        append(",\n \"dimension\": ").append(dimension).append(",\n \"names\": [")
        names.forEachIndexed { index, name ->
            append(if (index > 0) ",\n  " else "\n  ")
            quote(this, name, plain = true)
        }
        append(if (names.isEmpty()) "]\n}" else "\n ]\n}")
    }

    private fun comment(body: ByteArray): ByteArray =
        (SEAL + Key.hex(MessageDigest.getInstance("SHA-256").digest(body))).encodeToByteArray()

    private fun zip(contents: List<ByteArray>): ByteArray {
        var offset = 0
        val entries = contents.mapIndexed { index, data ->
            Entry(FILES[index].encodeToByteArray(), data, offset).also { offset += LOCAL + it.name.size + data.size }
        }
        val into = ByteArrayOutputStream()
        for (entry in entries) into.write(local(entry))
        for (entry in entries) into.write(central(entry))
        into.write(end(into.size(), offset))
        val body = into.toByteArray()
        return body + comment(body)
    }

    /** Both contents of a body that [zip] could have written: it is written again, and must be equal. */
    private fun unzip(body: ByteArray): List<ByteArray> {
        val view = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN)
        var offset = 0
        val contents = FILES.map { name ->
            require(offset + LOCAL <= body.size) { "an entry is cut short" }
            val size = view.getInt(offset + 22)
            val begin = offset + LOCAL + name.length
            require(size >= 0 && size <= body.size - begin) { "$name is cut short, or not there" }
            offset = begin + size
            body.copyOfRange(begin, offset)
        }
        require(zip(contents).copyOf(body.size).contentEquals(body)) { "it is no ZIP of the shape that handlens writes" }
        return contents
    }

    private fun local(entry: Entry): ByteArray = little(LOCAL + entry.name.size + entry.data.size) {
        putInt(0x04034b50)
        common(entry)
        put(entry.name)
        put(entry.data)
    }

    private fun central(entry: Entry): ByteArray = little(CENTRAL + entry.name.size) {
        putInt(0x02014b50)
        putShort(((3 shl 8) or 20).toShort())
        common(entry)
        putShort(0) // comment
        putShort(0) // disk
        putShort(0) // text or not
        putInt(MODE)
        putInt(entry.offset)
        put(entry.name)
    }

    private fun ByteBuffer.common(entry: Entry) {
        putShort(20)
        putShort(0) // flags
        putShort(0) // stored
        putShort(0) // time
        putShort(DATE.toShort())
        putInt(entry.crc)
        putInt(entry.data.size)
        putInt(entry.data.size)
        putShort(entry.name.size.toShort())
        putShort(0) // extra
    }

    private fun end(now: Int, directory: Int): ByteArray = little(END) {
        putInt(0x06054b50)
        putInt(0) // disks
        putShort(FILES.size.toShort())
        putShort(FILES.size.toShort())
        putInt(now - directory)
        putInt(directory)
        putShort(COMMENT.toShort())
    }

    private inline fun little(size: Int, fill: ByteBuffer.() -> Unit): ByteArray =
        ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).apply(fill).array()

    private fun ByteArray.startsWith(text: String): Boolean =
        size >= text.length && text.indices.all { this[it].toInt() == text[it].code }
}
