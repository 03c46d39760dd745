package io.handlens.engine

import io.handlens.EngineError
import io.handlens.EngineWrong
import io.handlens.GoldenInvalid
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Colour
import io.handlens.artifact.Dtype
import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.Manifest
import io.handlens.artifact.OutputSpec
import io.handlens.artifact.Tolerance
import io.handlens.artifact.hex
import io.handlens.at
import io.handlens.double
import io.handlens.doubles
import io.handlens.int
import io.handlens.list
import io.handlens.rows
import io.handlens.testing.Golden as Files
import io.handlens.testing.VectorLog
import io.handlens.text
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

class SessionTest {
    private val tiny = Artifact.open(Files.file("artifacts/tiny_float32.tflite").readBytes(), "tiny")
    private val int8 = Artifact.open(Files.file("artifacts/tiny_int8.tflite").readBytes(), "tiny_int8")

    @Test
    fun `the input of every golden of the zoo has its recorded hash`() {
        val zoo = Files.root.resolve("zoo/handlens_zoo/artifacts").listFiles().orEmpty()
            .filter { it.extension == "tflite" }
        var count = 0
        for (artifact in zoo.map { Artifact.open(it.readBytes(), it.name) } + tiny + int8) {
            for (golden in artifact.goldens) {
                val bytes = SelfCheck.tensor(golden, artifact.manifest.input)
                assertEquals(golden.inputSha256, hex(MessageDigest.getInstance("SHA-256").digest(bytes)), artifact.name)
                count++
            }
        }
        VectorLog.record("tensor", count, 0.0)
    }

    @Test
    fun `floats become an engine's integers and back as in Python, and so do numbers`() {
        val rows = rows("quantize.json")
        var worst = 0.0
        for (row in rows) {
            val dtype = Dtype.valueOf(row.at("dtype").text.uppercase())
            val scale = row.at("scale").double
            val zeroPoint = row.at("zero_point").int
            val input = InputSpec(
                "x", 1, 32, 1, listOf(1.0), listOf(0.0), dtype, colour = Colour.GREY, fit = Fit.VECTOR,
                quantScale = scale, quantZeroPoint = zeroPoint,
            )
            val output = OutputSpec("y", "the same", listOf(1, 32), Tolerance(0.0, 0.0), dtype, scale, zeroPoint)
            val session = echo(input, output)
            row.at("floats").doubles.forEachIndexed { index, value -> session.input[index] = value.toFloat() }
            session.run()
            val read = row.at("read").doubles
            assertArrayEquals(row.at("fed").list.map { it.int }.toIntArray(), fed.toIntArray())
            for (i in read.indices) worst = maxOf(worst, Math.abs(read[i] - session.output("y")[i]))
            session.run(row.at("numbers").doubles)
            assertArrayEquals(row.at("vector").list.map { it.int }.toIntArray(), fed.toIntArray())
        }
        assertEquals(0.0, worst)
        VectorLog.record("quantize", rows.size * 3, worst)
    }

    @Test
    fun `a right engine is taken and a wrong one refused, by the worst output`() {
        val opened = Session.open(tiny, { _, _ -> answering(tiny, 0f) })
        assertTrue(checkNotNull(opened.verdict).passed)
        assertEquals(tiny.goldens.size, opened.verdict?.rows?.size)
        for (wrong in listOf(0.1f, Float.NaN, Float.POSITIVE_INFINITY)) {
            val engine = answering(tiny, wrong)
            val error = assertThrows<EngineWrong> { Session.open(tiny, { _, _ -> engine }) }
            assertTrue("fake 1 answers tiny wrongly: ${tiny.goldens.size} of" in error.message.orEmpty(), error.message)
            assertTrue("worst is embedding" in error.message.orEmpty())
            assertEquals(1, engine.closed)
            assertNull(Session.open(tiny, { _, _ -> answering(tiny, wrong) }, check = false).verdict)
        }
    }

    @Test
    fun `an engine that answers the same to everything is refused`() {
        val first = tiny.goldens[0].outputs.getValue("embedding")
        val engine = engine(tiny) { _, into -> for (i in 0 until first.size) into[0].putFloat(4 * i, first[i]) }
        assertThrows<EngineWrong> { Session.open(tiny, { _, _ -> engine }) }
    }

    @Test
    fun `tensors that are not the manifest's are refused by name`() {
        val good = TensorInfo("image", intArrayOf(1, 16, 8, 3), Dtype.FLOAT32)
        val out = TensorInfo("embedding", intArrayOf(1, 8), Dtype.FLOAT32)
        val q = { shape: IntArray, scale: Float?, zero: Int? -> TensorInfo("image", shape, Dtype.INT8, scale, zero) }
        val scale = checkNotNull(int8.manifest.input.quantScale).toFloat()
        val zero = checkNotNull(int8.manifest.input.quantZeroPoint)
        val cases = listOf(
            Triple(tiny, listOf(good, good), listOf(out)),
            Triple(tiny, listOf(good), emptyList()),
            Triple(tiny, listOf(TensorInfo("x", good.shape, good.dtype)), listOf(out)),
            Triple(tiny, listOf(TensorInfo("image", intArrayOf(1, 8, 16, 3), good.dtype)), listOf(out)),
            Triple(tiny, listOf(TensorInfo("image", intArrayOf(-1, 16, 8, 3), good.dtype)), listOf(out)),
            Triple(tiny, listOf(TensorInfo("image", good.shape, Dtype.UINT8)), listOf(out)),
            Triple(int8, listOf(q(good.shape, scale * 1.01f, zero)), int8Out()),
            Triple(int8, listOf(q(good.shape, scale, zero + 1)), int8Out()),
        )
        for ((artifact, inputs, outputs) in cases) {
            val engine = FakeEngine(inputs, outputs) { _, _ -> }
            val error = assertThrows<ManifestInvalid> { Session.open(artifact, { _, _ -> engine }, check = false) }
            val message = error.message.orEmpty()
            assertTrue("in the model" in message || "the model has" in message, message)
            assertEquals(1, engine.closed)
        }
        // ONNX reports no scale: the manifest's counts.
        val silent =
            FakeEngine(listOf(q(good.shape, null, null)), int8Out(report = false)) { _, into -> into[0].put(0, 5) }
        val session = Session.open(int8, { _, _ -> silent }, check = false)
        session.run()
        val spec = int8.manifest.outputs[0]
        val expected = (5 - checkNotNull(spec.quantZeroPoint)).toFloat() * checkNotNull(spec.quantScale).toFloat()
        assertEquals(expected, session.output("embedding")[0])
    }

    @Test
    fun `a closed session runs no more, and closing twice is nothing`() {
        val engine = answering(tiny, 0f)
        val session = Session.open(tiny, { _, _ -> engine })
        assertSame(session.output("embedding"), session.output("embedding"))
        assertThrows<InputError> { session.output("other") }
        assertThrows<InputError> { session.run(DoubleArray(3)) }
        session.close()
        session.close()
        assertEquals(1, engine.closed)
        assertThrows<EngineError> { session.run() }
        assertThrows<OptionError> { Session.open(tiny, { _, _ -> engine }, threads = 0) }
    }

    @Test
    fun `an engine that throws is an engine error that names it`() {
        val engine = engine(tiny) { _, _ -> error("out of memory") }
        val session = Session.open(tiny, { _, _ -> engine }, check = false)
        val error = assertThrows<EngineError> { session.run() }
        assertEquals("fake 1 failed on this model: out of memory", error.message)
        assertFalse(error is EngineWrong)
    }

    @Test
    fun `a golden whose input comes out differently is refused`() {
        val other = tiny.manifest.input.let { it.copy(scale = it.scale.map { value -> value * 1.0001 }) }
        val manifest = tiny.manifest.copy(input = other)
        val artifact = Artifact("x", tiny.kind, manifest, tiny.goldens, "", 0, emptyMap(), tiny.model)
        assertThrows<GoldenInvalid> { Session.open(artifact, { _, _ -> answering(tiny, 0f) }) }
    }

    private val fed = ArrayList<Int>()

    /** A model that answers what it is fed, and notes it in [fed]. */
    private fun echo(input: InputSpec, output: OutputSpec): Session {
        val manifest: Manifest = tiny.manifest.copy(input = input, outputs = listOf(output))
        val none = ByteBuffer.allocateDirect(0)
        val artifact = Artifact("echo", tiny.kind, manifest, emptyList(), "", 0, emptyMap(), none)
        val engine = FakeEngine(
            listOf(TensorInfo("x", intArrayOf(1, 1, 32, 1), input.dtype)),
            listOf(TensorInfo("y", intArrayOf(1, 32), output.dtype)),
        ) { feed, into ->
            fed.clear()
            for (i in 0 until 32) {
                into[0].put(i, feed.get(i))
                fed += if (input.dtype == Dtype.INT8) feed.get(i).toInt() else feed.get(i).toInt() and 0xFF
            }
        }
        return Session.open(artifact, { _, _ -> engine })
    }

    private fun engine(artifact: Artifact, model: (ByteBuffer, List<ByteBuffer>) -> Unit): FakeEngine {
        fun info(name: String, shape: List<Int>) = TensorInfo(name, shape.toIntArray(), Dtype.FLOAT32)
        val outputs = artifact.manifest.outputs.map { info(it.name, it.shape) }
        return FakeEngine(listOf(info(artifact.manifest.input.name, artifact.manifest.input.shape)), outputs, model)
    }

    /** Knows the goldens by the hash of their input, and answers them, off by something. */
    private fun answering(artifact: Artifact, off: Float): FakeEngine = engine(artifact) { feed, into ->
        val bytes = ByteArray(feed.capacity()) { feed.get(it) }
        check(ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN)
        val digest = hex(MessageDigest.getInstance("SHA-256").digest(bytes))
        val values = artifact.goldens.first { it.inputSha256 == digest }.outputs.getValue("embedding")
        for (i in 0 until values.size) into[0].putFloat(4 * i, values[i] + off)
    }

    private fun int8Out(report: Boolean = true): List<TensorInfo> {
        val spec = int8.manifest.outputs[0]
        val scale = spec.quantScale?.toFloat()?.takeIf { report }
        val zeroPoint = spec.quantZeroPoint?.takeIf { report }
        return listOf(TensorInfo("embedding", intArrayOf(1, 8), Dtype.INT8, scale, zeroPoint))
    }
}
