package io.handlens.engine.jna

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.engine.Engine
import io.handlens.testing.Golden
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.ConcurrentLinkedQueue
import kotlin.concurrent.thread

class LiteRtJnaEngineTest {
    private val artifact = Artifact.open(Golden.zoo("face-detector-nano.tflite").readBytes())

    @Test
    fun `tensors are those of the signature, with their scales`() {
        LiteRtJnaEngine.open(artifact, 1).use { engine ->
            assertEquals(listOf("image"), engine.inputs.map { it.name })
            assertEquals(setOf("score", "box", "points", "gender"), engine.outputs.map { it.name }.toSet())
            assertEquals(1 / 128f, engine.inputs[0].quantScale)
            assertTrue(engine.version.first().isDigit()) { engine.version }
        }
    }

    @Test
    fun `more threads give the same answer`() {
        val answers = listOf(1, 3).map { threads -> LiteRtJnaEngine.open(artifact, threads).use(::answer) }
        assertEquals(answers[0], answers[1])
    }

    @Test
    fun `engines of several threads do not disturb each other`() {
        val alone = LiteRtJnaEngine.open(artifact, 1).use(::answer)
        val answers = ConcurrentLinkedQueue<List<ByteBuffer>>()
        val workers = List(4) {
            thread {
                repeat(3) {
                    LiteRtJnaEngine.open(artifact, 1).use { engine -> repeat(5) { answers += answer(engine) } }
                }
            }
        }
        workers.forEach { it.join() }
        assertEquals(60, answers.count { it == alone })
    }

    @Test
    fun `a run allocates nothing`() {
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        LiteRtJnaEngine.open(artifact, 1).use { engine ->
            val feed = buffer(engine.inputs[0].byteCount)
            val into = engine.outputs.map { buffer(it.byteCount) }
            repeat(20) { engine.run(feed, into) }
            val before = threads.currentThreadAllocatedBytes
            repeat(100) { engine.run(feed, into) }
            assertEquals(0, (threads.currentThreadAllocatedBytes - before) / 100)
        }
    }

    @Test
    fun `a closed engine says so, and gives its memory back`() {
        repeat(5) { LiteRtJnaEngine.open(artifact, 1).close() }
        val before = residentMegabytes()
        repeat(60) { LiteRtJnaEngine.open(artifact, 1).use(::answer) }
        assertTrue(residentMegabytes() - before < 60) { "60 engines left ${residentMegabytes() - before} MB behind" }
        val engine = LiteRtJnaEngine.open(artifact, 1)
        engine.close()
        engine.close()
        val error = assertThrows<EngineError> { answer(engine) }
        assertTrue("closed" in error.message.orEmpty()) { "${error.message}" }
    }

    @Test
    fun `buffers of another size are refused`() {
        LiteRtJnaEngine.open(artifact, 1).use { engine ->
            val into = engine.outputs.map { buffer(it.byteCount) }
            assertThrows<EngineError> { engine.run(buffer(5), into) }
            assertThrows<EngineError> { engine.run(buffer(engine.inputs[0].byteCount), into.drop(1)) }
        }
    }

    @Test
    fun `another kind of model, and no threads, are refused by name`() {
        val onnx = Artifact.open(Golden.file("artifacts/tiny_float32.onnx").readBytes())
        val error = assertThrows<OptionError> { LiteRtJnaEngine.open(onnx, 1) }
        assertTrue(".tflite" in error.message.orEmpty()) { "${error.message}" }
        assertThrows<OptionError> { LiteRtJnaEngine.open(artifact, 0) }
    }

    @Test
    fun `a library that is not there is named, with the next step`() {
        for (place in listOf(null, " ", "/nowhere/libLiteRt.so")) {
            val error = assertThrows<EngineUnavailable> { LiteRtLibrary.locate(place) }
            assertTrue("handlens.litert" in error.message.orEmpty()) { "${error.message}" }
        }
    }

    private fun answer(engine: Engine): List<ByteBuffer> {
        val feed = buffer(engine.inputs[0].byteCount)
        for (index in 0 until feed.capacity()) feed.put(index, (index * 31).toByte())
        return engine.outputs.map { buffer(it.byteCount) }.also { engine.run(feed, it) }
    }

    private fun buffer(size: Int) = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

    private fun residentMegabytes(): Long {
        System.gc()
        val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS") }
        return line.filter(Char::isDigit).toLong() / 1024
    }
}
