package io.handlens.engine.jna

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.ModelKind
import io.handlens.engine.Engine
import io.handlens.engine.EngineFactory
import io.handlens.engine.TensorInfo
import java.nio.ByteBuffer

/**
 * LiteRT on a JVM: runs the very `.tflite` files that a phone runs, through the C library of the Python package
 * `ai-edge-litert` and JNA. For tests and servers; on Android take `InterpreterEngine`.
 *
 * The library's place is the system property `handlens.litert` or the environment variable `HANDLENS_LITERT`.
 * A run copies the feed in and the results out and allocates nothing. Not for two threads at once.
 */
public class LiteRtJnaEngine private constructor(
    override val version: String,
    private val model: NativeModel,
) : Engine {
    override val name: String = "litert"
    override val inputs: List<TensorInfo> = model.feeds.map { it.info }
    override val outputs: List<TensorInfo> = model.results.map { it.info }

    private var open = true

    override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
        if (!open) throw EngineError("this litert engine was closed; open another")
        val results = model.results
        if (into.size != results.size) throw EngineError("litert got ${into.size} buffers for ${results.size} outputs")
        val input = model.feeds[0]
        copy(feed, input.memory, input.info)
        val status = LiteRtApi.LiteRtRunCompiledModel(
            model.compiled,
            model.signature,
            1,
            model.feedHandles,
            results.size.toLong(),
            model.resultHandles,
        )
        if (status != 0) throw EngineError("litert $version failed on this model: ${NativeScope.statusName(status)}")
        for (index in results.indices) copy(results[index].memory, into[index], results[index].info)
    }

    /** Releases the model and its native memory; a later [run] fails. */
    override fun close() {
        open = false
        model.close()
    }

    private fun copy(from: ByteBuffer, to: ByteBuffer, info: TensorInfo) {
        if (from.capacity() != info.byteCount || to.capacity() != info.byteCount) {
            throw EngineError("tensor ${info.name} has ${info.byteCount} bytes; its buffer has another size")
        }
        from.clear()
        to.clear()
        to.put(from)
        from.clear()
        to.clear()
    }

    /** Opens artifacts on LiteRT; see [LiteRtJnaEngine]. */
    public companion object Factory : EngineFactory {
        /**
         * Opens [artifact]'s model.
         *
         * @throws OptionError the artifact is no `.tflite`, or [threads] is less than 1.
         * @throws EngineUnavailable the library is missing, or LiteRT cannot read the model.
         */
        override fun open(artifact: Artifact, threads: Int): Engine {
            if (artifact.kind != ModelKind.TFLITE) {
                throw OptionError("engine litert does not read .onnx models; valid: .tflite, or take OrtEngine")
            }
            return open(artifact.model, threads)
        }

        internal fun open(bytes: ByteBuffer, threads: Int): LiteRtJnaEngine {
            if (threads < 1) throw OptionError("threads is $threads; expected 1 or more")
            LiteRtLibrary.load()
            val version = LiteRtLibrary.version
            val model = NativeModel.open(bytes, threads, "litert $version cannot read this model")
            if (model.feeds.size == 1) return LiteRtJnaEngine(version, model)
            model.close()
            throw EngineUnavailable("the model has ${model.feeds.size} inputs; an artifact has one")
        }
    }
}
