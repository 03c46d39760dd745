package io.handlens.engine.jna

import io.handlens.HandlensException
import io.handlens.artifact.Artifact
import io.handlens.engine.Engine
import io.handlens.testing.Golden
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.random.Random

/** Models that came without a hash: one that is damaged is refused with a reason, or runs; the JVM survives all. */
class BadModelTest {
    private val artifact = Artifact.open(Golden.file("artifacts/tiny_int8.tflite").readBytes())
    private val model = ByteArray(artifact.model.remaining()).also { artifact.model.get(it) }

    @Test
    fun `a model that was cut short is refused`() {
        for (size in model.indices step 97) assertTrue(refused(model.copyOf(size))) { "$size bytes of ${model.size}" }
    }

    @Test
    fun `a model with a changed byte never ends the JVM`() {
        val random = Random(5)
        val refusals = List(400) {
            val damaged = model.copyOf()
            damaged[random.nextInt(model.size)] = random.nextInt().toByte()
            refused(damaged)
        }
        assertTrue(refusals.count { it } > 20) { "only ${refusals.count { it }} of 400 were refused" }
    }

    private fun refused(bytes: ByteArray): Boolean = try {
        val direct = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).flip()
        LiteRtJnaEngine.open(Artifact.bring(direct, artifact.manifest), 1).use(::run)
        false
    } catch (error: HandlensException) {
        assertTrue(error.message.orEmpty().length > 20) { "$error" }
        true
    }

    private fun run(engine: Engine) {
        val (feed, into) = listOf(engine.inputs, engine.outputs).map { tensors ->
            tensors.map { ByteBuffer.allocateDirect(it.byteCount).order(ByteOrder.nativeOrder()) }
        }
        engine.run(feed.single(), into)
    }
}
