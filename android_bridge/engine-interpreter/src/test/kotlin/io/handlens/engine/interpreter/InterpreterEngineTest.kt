package io.handlens.engine.interpreter

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.engine.Session
import io.handlens.testing.Golden
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.nio.ByteBuffer
import java.nio.ByteOrder

class InterpreterEngineTest {
    private val detector = Artifact.open(Golden.zoo("face-detector-nano.tflite").readBytes())

    @Test
    fun `outputs have the signature's names, whatever their order in the graph`() {
        for (artifact in listOf(detector, Artifact.open(Golden.zoo("attributes.tflite").readBytes()))) {
            val names = checkNotNull(SignatureNames.of(artifact.model).outputs)
            assertEquals(artifact.manifest.outputs.map { it.name }.toSet(), names.toSet())
            Session.open(artifact, on(artifact, names)).use { assertTrue(checkNotNull(it.verdict).passed) }
        }
    }

    @Test
    fun `a model without a signature keeps its tensors' own names`() {
        val model = direct(Golden.file("models/tiny_int8.tflite").readBytes()).order(ByteOrder.LITTLE_ENDIAN)
        assertEquals(listOf("embedding"), SignatureNames.of(model).outputs)
        val root = model.getInt(0)
        model.putShort(root - model.getInt(root) + 4 + 2 * 7, 0) // no field 7: the signatures
        assertEquals(null, SignatureNames.of(model).outputs)
    }

    @Test
    fun `closing closes the interpreter, once, and a later run says so`() {
        val names = checkNotNull(SignatureNames.of(detector.model).outputs)
        val interpreter = JnaInterpreter(detector, names)
        val engine = InterpreterEngine.Factory.on { _, _ -> interpreter }.open(detector, 1)
        val feed = direct(ByteArray(engine.inputs[0].byteCount))
        val into = engine.outputs.map { direct(ByteArray(it.byteCount)) }
        engine.run(feed, into)
        assertEquals(listOf(0) + into.map { 0 }, (listOf(feed) + into).map { it.position() })
        engine.close()
        engine.close()
        assertTrue(interpreter.closed)
        val error = assertThrows<EngineError> { engine.run(feed, into) }
        assertTrue("closed" in error.message.orEmpty()) { "${error.message}" }
    }

    @Test
    fun `an application without a runtime is told what to add`() {
        val error = assertThrows<EngineUnavailable> { InterpreterEngine.Factory().open(detector, 1) }
        assertTrue("com.google.ai.edge.litert:litert" in error.message.orEmpty()) { "${error.message}" }
    }

    @Test
    fun `a model that the interpreter refuses is unavailable, and the interpreter's reason is given`() {
        val factory = InterpreterEngine.Factory.on { _, _ -> throw IllegalArgumentException("no op 77\nmore") }
        val error = assertThrows<EngineUnavailable> { factory.open(detector, 1) }
        assertTrue("cannot read this model: no op 77" in error.message.orEmpty()) { "${error.message}" }
    }

    @Test
    fun `another kind of model, and no threads, are refused by name`() {
        val onnx = Artifact.open(Golden.file("artifacts/tiny_int8.onnx").readBytes())
        val error = assertThrows<OptionError> { InterpreterEngine.Factory().open(onnx, 1) }
        assertTrue(".tflite" in error.message.orEmpty()) { "${error.message}" }
        assertThrows<OptionError> { InterpreterEngine.Factory().open(detector, 0) }
    }

    private fun on(artifact: Artifact, names: List<String>) =
        InterpreterEngine.Factory.on { _, _ -> JnaInterpreter(artifact, names) }

    private fun direct(bytes: ByteArray): ByteBuffer =
        ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).flip()
}
