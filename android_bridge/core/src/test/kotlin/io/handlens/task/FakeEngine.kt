package io.handlens.task

import io.handlens.artifact.Artifact
import io.handlens.artifact.Manifest
import io.handlens.artifact.ModelKind
import io.handlens.engine.Engine
import io.handlens.engine.EngineFactory
import io.handlens.engine.TensorInfo
import java.nio.ByteBuffer

/** An engine of float tensors that answers what it is told to, and keeps what it was fed. */
internal class FakeEngine(manifest: Manifest, private val answer: () -> Map<String, FloatArray>) : Engine {
    override val name = "fake"
    override val version = "1"
    override val inputs = listOf(manifest.input.let { TensorInfo(it.name, it.shape.toIntArray(), it.dtype) })
    override val outputs = manifest.outputs.map { TensorInfo(it.name, it.shape.toIntArray(), it.dtype) }
    val feeds = ArrayList<FloatArray>()
    var keeps = true
    var closed = 0

    override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
        if (keeps) feeds += FloatArray(feed.capacity() / Float.SIZE_BYTES) { feed.getFloat(it * Float.SIZE_BYTES) }
        val answers = answer()
        for (index in outputs.indices) {
            val values = answers.getValue(outputs[index].name)
            for (at in values.indices) into[index].putFloat(at * Float.SIZE_BYTES, values[at])
        }
    }

    override fun close() {
        closed++
    }
}

/** An artifact with no model behind it. */
internal fun artifact(manifest: Manifest): Artifact = Artifact(
    name = "drawn",
    kind = ModelKind.TFLITE,
    manifest = manifest,
    goldens = emptyList(),
    sha256 = "",
    size = 0,
    extras = emptyMap(),
    bytes = ByteBuffer.allocateDirect(0),
)

/** Opens fakes that answer [answers] in turn, the last of them from then on. */
internal fun answering(vararg answers: Map<String, FloatArray>): EngineFactory {
    var next = 0
    return EngineFactory { artifact, _ ->
        FakeEngine(artifact.manifest) { answers[minOf(next++, answers.size - 1)] }
    }
}
