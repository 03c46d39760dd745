package io.handlens.parity

import io.handlens.InputError
import io.handlens.engine.Engine
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64

/** Runs raw input tensors, one file each, and gives the raw outputs: what an engine says before anything reads it. */
internal class Tensors(private val engine: Engine) : AutoCloseable {
    private val feed = buffer(engine.inputs.single().byteCount)
    private val into = engine.outputs.map { buffer(it.byteCount) }

    /** The bytes of each output by name, in Base64. */
    fun answer(line: String): Map<String, String> {
        val bytes = File(line).readBytes()
        if (bytes.size != feed.capacity()) {
            throw InputError("$line has ${bytes.size} bytes; the model's input has ${feed.capacity()}")
        }
        feed.put(bytes).clear()
        engine.run(feed, into)
        return engine.outputs.indices.associate { index ->
            val answer = ByteArray(into[index].capacity()).also { into[index].duplicate().get(it) }
            engine.outputs[index].name to Base64.getEncoder().encodeToString(answer)
        }
    }

    override fun close(): Unit = engine.close()

    private fun buffer(size: Int) = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
}
