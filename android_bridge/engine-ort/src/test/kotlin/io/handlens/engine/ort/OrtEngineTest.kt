package io.handlens.engine.ort

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.HandlensException
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.engine.Engine
import io.handlens.engine.EngineFactory
import io.handlens.engine.GoldenRow
import io.handlens.engine.Session
import io.handlens.testing.Golden
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.random.Random

class OrtEngineTest {
    private val artifacts = listOf("tiny_float32.onnx", "tiny_int8.onnx").map { Artifact.open(bytes(it), it) }

    @Test
    fun `artifacts answer their goldens as Python recorded them`() {
        val rows = artifacts.flatMap { artifact ->
            Session.open(artifact, OrtEngine).use { checkNotNull(it.verdict).rows }
        }
        assertEquals(emptyList<GoldenRow>(), rows.filterNot { it.passed })
        VectorLog.record("models-onnx", rows.size, rows.maxOf { it.maxAbsError / it.allowed })
    }

    @Test
    fun `an engine that is off by a little is refused`() {
        val wrong = EngineFactory { artifact, threads ->
            val right = OrtEngine.open(artifact, threads)
            object : Engine by right {
                override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
                    right.run(feed, into)
                    into[0].putFloat(0, into[0].getFloat(0) + 0.1f)
                }
            }
        }
        assertThrows<EngineWrong> { Session.open(artifacts[0], wrong).close() }
    }

    @Test
    fun `a run allocates no tensor`() {
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        OrtEngine.open(artifacts[0], 1).use { engine ->
            val feed = buffer(engine.inputs[0].byteCount)
            val into = engine.outputs.map { buffer(it.byteCount) }
            repeat(20) { engine.run(feed, into) }
            val before = threads.currentThreadAllocatedBytes
            repeat(100) { engine.run(feed, into) }
            val each = (threads.currentThreadAllocatedBytes - before) / 100
            assertTrue(each < 1024) { "$each bytes a run; ONNX Runtime's own small objects were a few hundred" }
        }
    }

    @Test
    fun `a closed engine, other buffers and another kind are refused by name`() {
        val engine = OrtEngine.open(artifacts[0], 1)
        val into = engine.outputs.map { buffer(it.byteCount) }
        assertThrows<EngineError> { engine.run(buffer(5), into) }
        assertThrows<EngineError> { engine.run(buffer(engine.inputs[0].byteCount), emptyList()) }
        engine.close()
        engine.close()
        val closed = assertThrows<EngineError> { engine.run(buffer(engine.inputs[0].byteCount), into) }
        assertTrue("closed" in closed.message.orEmpty()) { "${closed.message}" }
        val tflite = Artifact.open(bytes("tiny_int8.tflite"))
        val kind = assertThrows<OptionError> { OrtEngine.open(tflite, 1) }
        assertTrue(".onnx" in kind.message.orEmpty()) { "${kind.message}" }
        assertThrows<OptionError> { OrtEngine.open(artifacts[0], 0) }
    }

    @Test
    fun `a model with a changed byte never ends the JVM`() {
        val model = ByteArray(artifacts[1].model.remaining()).also { artifacts[1].model.get(it) }
        val random = Random(6)
        val refused = (1..200).count {
            val damaged = model.copyOf()
            damaged[random.nextInt(model.size)] = random.nextInt().toByte()
            val direct = buffer(damaged.size).put(damaged).flip()
            try {
                OrtEngine.open(Artifact.bring(direct, artifacts[1].manifest), 1).use { engine ->
                    engine.run(buffer(engine.inputs[0].byteCount), engine.outputs.map { buffer(it.byteCount) })
                }
                false
            } catch (error: HandlensException) {
                true
            }
        }
        assertTrue(refused > 10) { "only $refused of 200 were refused" }
    }

    @Test
    fun `bytes that are no model are unavailable, with ONNX Runtime's reason`() {
        val error = assertThrows<EngineUnavailable> { OrtEngine.open(buffer(64), 1) }
        assertTrue("cannot read this model" in error.message.orEmpty()) { "${error.message}" }
    }

    private fun bytes(name: String) = Golden.file("artifacts/$name").readBytes()

    private fun buffer(size: Int) = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
}
