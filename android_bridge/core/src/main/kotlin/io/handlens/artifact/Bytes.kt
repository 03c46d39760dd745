package io.handlens.artifact

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.CharBuffer
import java.nio.charset.CodingErrorAction
import java.security.MessageDigest

/** Little-endian bytes from 0 to [size], read by place; a view, not a copy. */
internal class Bytes(source: ByteBuffer) {
    private val buffer: ByteBuffer = source.slice().order(ByteOrder.LITTLE_ENDIAN)

    val size: Int = buffer.limit()

    fun u8(at: Int): Int = buffer.get(at).toInt() and 0xFF

    fun u16(at: Int): Int = buffer.getShort(at).toInt() and 0xFFFF

    fun i32(at: Int): Int = buffer.getInt(at)

    fun u32(at: Int): Long = buffer.getInt(at).toLong() and 0xFFFFFFFFL

    fun i64(at: Int): Long = buffer.getLong(at)

    /** The bytes from [begin] to [end], as a buffer of their own on the same memory. */
    fun buffer(begin: Int = 0, end: Int = size): ByteBuffer {
        val view = buffer.duplicate()
        frame(view, begin, end)
        return view.slice()
    }

    fun part(begin: Int, end: Int): Bytes = Bytes(buffer(begin, end))

    fun copy(begin: Int, end: Int): ByteArray = ByteArray(end - begin).also { buffer(begin, end).get(it) }

    /** ASCII of a few bytes; a byte beyond 127 becomes U+FFFD. */
    fun ascii(begin: Int, end: Int): String {
        val built = StringBuilder(end - begin)
        for (at in begin until end) built.append(if (u8(at) < 128) u8(at).toChar() else '\uFFFD')
        return built.toString()
    }

    fun startsWith(text: String, at: Int): Boolean {
        if (at < 0 || at + text.length > size) return false
        for (index in text.indices) if (u8(at + index) != text[index].code) return false
        return true
    }

    fun sha256(begin: Int = 0, end: Int = size): String {
        val digest = MessageDigest.getInstance("SHA-256")
        digest.update(buffer(begin, end))
        return hex(digest.digest())
    }
}

// Through Buffer, for its own functions: those that ByteBuffer returns itself from are missing on older phones.
internal fun frame(buffer: Buffer, begin: Int, end: Int) {
    buffer.limit(end)
    buffer.position(begin)
}

internal fun hex(bytes: ByteArray): String {
    val built = StringBuilder(2 * bytes.size)
    for (byte in bytes) {
        val value = byte.toInt() and 0xFF
        built.append("0123456789abcdef"[value shr 4]).append("0123456789abcdef"[value and 15])
    }
    return built.toString()
}

/** The text of UTF-8 bytes; null where they are none. */
internal fun utf8(bytes: ByteArray): String? {
    val decoder = Charsets.UTF_8.newDecoder()
        .onMalformedInput(CodingErrorAction.REPORT)
        .onUnmappableCharacter(CodingErrorAction.REPORT)
    return try {
        val chars: CharBuffer = decoder.decode(ByteBuffer.wrap(bytes))
        chars.toString()
    } catch (_: java.nio.charset.CharacterCodingException) {
        null
    }
}
