package io.handlens.engine

import io.handlens.EngineError
import java.nio.ByteBuffer

/** An engine whose model is a function. */
internal class FakeEngine(
    override val inputs: List<TensorInfo>,
    override val outputs: List<TensorInfo>,
    private val model: (ByteBuffer, List<ByteBuffer>) -> Unit,
) : Engine {
    override val name: String = "fake"
    override val version: String = "1"
    var closed = 0

    override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
        if (closed > 0) throw EngineError("closed")
        model(feed, into)
    }

    override fun close() {
        closed++
    }
}
