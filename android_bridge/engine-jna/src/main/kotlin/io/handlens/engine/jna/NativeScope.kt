package io.handlens.engine.jna

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import io.handlens.EngineUnavailable

/**
 * Owns native things: what it makes it destroys on [close], last made first, whatever went wrong in between.
 *
 * @property opening what a refusal says could not be read, such as "litert 2.3.0 cannot read this model".
 */
internal class NativeScope(private val opening: String) : AutoCloseable {
    private val releases = ArrayDeque<() -> Unit>()
    private val kept = ArrayList<Any>()

    /** 128 zeroed bytes, for what one call after the other writes. */
    val out: Pointer = keep(Memory(128).apply { clear() })

    /** Holds [memory] for as long as this scope lives: native code has its address. */
    fun <T : Any> keep(memory: T): T = memory.also(kept::add)

    /** Calls [function] with the address it writes a handle to; [destroy] gets that handle when the scope closes. */
    inline fun make(what: String, noinline destroy: (Long) -> Unit, function: (Long) -> Int): Long {
        val handle = handle(what, function)
        releases.addLast { destroy(handle) }
        return handle
    }

    /** Calls [function] with the address it writes a handle to, one that belongs to something else. */
    inline fun handle(what: String, function: (Long) -> Int): Long {
        out.setLong(0, 0)
        require(what, function(out.address))
        return out.getLong(0).also { if (it == 0L) throw EngineUnavailable("$opening: $what gave nothing") }
    }

    /** The number that [function] writes to the address it is given. */
    inline fun number(what: String, function: (Long) -> Int): Long {
        out.setLong(0, 0)
        require(what, function(out.address))
        return out.getLong(0)
    }

    /** The text whose address [function] writes. */
    inline fun text(what: String, function: (Long) -> Int): String =
        Pointer(handle(what, function)).getString(0, "UTF-8")

    /** The address of an array of the buffers' handles. */
    fun handles(tensors: List<NativeTensor>): Long {
        val array = keep(Memory(maxOf(1, tensors.size) * Long.SIZE_BYTES.toLong()))
        tensors.forEachIndexed { index, tensor -> array.setLong(index * Long.SIZE_BYTES.toLong(), tensor.handle) }
        return array.address
    }

    /** Throws unless [status] is LiteRT's 0. */
    fun require(what: String, status: Int) {
        if (status != 0) throw EngineUnavailable("$opening: $what answered ${statusName(status)}")
    }

    override fun close() {
        while (true) (releases.removeLastOrNull() ?: break)()
        kept.clear()
    }

    companion object {
        /** The address of native memory. */
        val Pointer.address: Long get() = Pointer.nativeValue(this)

        /** A C string in memory from `malloc`, which native code frees. */
        fun cString(text: String): Long {
            val bytes = text.toByteArray()
            val address = Native.malloc(bytes.size + 1L)
            if (address == 0L) throw OutOfMemoryError("no ${bytes.size + 1} bytes of native memory")
            Pointer(address).run {
                write(0, bytes, 0, bytes.size)
                setByte(bytes.size.toLong(), 0)
            }
            return address
        }

        /** LiteRT's own word for a status where there is one, with its number. */
        fun statusName(status: Int): String {
            val name = when (status) {
                1 -> "invalid argument"
                2 -> "out of memory"
                3 -> "runtime failure"
                5 -> "unsupported"
                6 -> "not found"
                501 -> "invalid FlatBuffer"
                504 -> "compilation failed"
                1000 -> "index out of bounds"
                1002 -> "invalid graph"
                else -> "an error"
            }
            return "$name (status $status)"
        }
    }
}
