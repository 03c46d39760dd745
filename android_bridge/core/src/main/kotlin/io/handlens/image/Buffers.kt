package io.handlens.image

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.FloatBuffer

/** A buffer's floats, from position 0; made anew only when another buffer comes. */
internal class FloatView {
    private var of: ByteBuffer? = null
    private var floats: FloatBuffer? = null

    fun of(buffer: ByteBuffer): FloatBuffer {
        val known = floats
        if (buffer === of && known != null) {
            rewind(known)
            return known
        }
        val copy = buffer.duplicate().order(buffer.order())
        rewind(copy)
        return copy.asFloatBuffer().also {
            of = buffer
            floats = it
        }
    }
}

/** Writes bytes from position 0; the position stays. */
internal fun putAll(buffer: ByteBuffer, bytes: ByteArray) {
    val position = buffer.position()
    rewind(buffer)
    buffer.put(bytes, 0, bytes.size)
    move(buffer, position)
}

/** Reads bytes from position 0; the position stays. */
internal fun getAll(buffer: ByteBuffer, bytes: ByteArray) {
    val position = buffer.position()
    rewind(buffer)
    buffer.get(bytes, 0, bytes.size)
    move(buffer, position)
}

// Through Buffer: older phones lack ByteBuffer's own versions of these.
internal fun rewind(buffer: Buffer) {
    buffer.rewind()
}

private fun move(buffer: Buffer, position: Int) {
    buffer.position(position)
}
