package io.handlens.engine.compiled

import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import com.google.ai.edge.litert.TensorType
import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Dtype
import io.handlens.artifact.ModelKind
import io.handlens.engine.Engine
import io.handlens.engine.EngineFactory
import io.handlens.engine.TensorInfo
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * LiteRT's `CompiledModel` on Android (`com.google.ai.edge.litert:litert`, 2.1 or newer), for the GPU or an NPU; for
 * the CPU `InterpreterEngine` does with less.
 *
 * Not compiled by handlens' own build, which does not reach Google's Maven repository: copy this file into the
 * application. `Session` replays the artifact's goldens on the accelerator at hand, and refuses one that answers
 * wrongly.
 *
 * `CompiledModel`'s Kotlin API reads tensors as new arrays, so that a run allocates one for each output; it knows
 * floats and int8, no uint8; and it tells no tensor's scale, which `Session` takes from the manifest.
 */
public class CompiledModelEngine private constructor(
    private val model: CompiledModel,
    private val feed: Bound,
    private val results: List<Bound>,
) : Engine {
    override val name: String = "litert-compiled-model"
    override val version: String = "of the application"
    override val inputs: List<TensorInfo> = listOf(feed.info)
    override val outputs: List<TensorInfo> = results.map { it.info }

    private val fed = mapOf(feed.info.name to feed.buffer)
    private val filled = results.associate { it.info.name to it.buffer }
    private var open = true

    override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
        if (!open) throw EngineError("this $name engine was closed; open another")
        if (into.size != results.size) throw EngineError("$name got ${into.size} buffers for ${results.size} outputs")
        try {
            this.feed.write(feed)
            model.run(fed, filled)
            for (index in results.indices) results[index].read(into[index])
        } catch (error: LiteRtException) {
            throw EngineError("$name failed on this model: ${error.message}", error)
        }
    }

    /** Releases the model and its buffers; a later [run] fails. */
    override fun close() {
        if (!open) return
        open = false
        (results + feed).forEach { it.buffer.close() }
        model.close()
    }

    /** A tensor and LiteRT's buffer for it; the arrays between them are made once. */
    private class Bound(val info: TensorInfo, val buffer: TensorBuffer) {
        private val floats = FloatArray(if (info.dtype == Dtype.FLOAT32) info.byteCount / Float.SIZE_BYTES else 0)
        private val bytes = ByteArray(if (info.dtype == Dtype.FLOAT32) 0 else info.byteCount)

        fun write(from: ByteBuffer) {
            val source = from.duplicate().order(ByteOrder.nativeOrder())
            if (info.dtype == Dtype.FLOAT32) {
                source.asFloatBuffer().get(floats)
                buffer.writeFloat(floats)
            } else {
                source.get(bytes)
                buffer.writeInt8(bytes)
            }
        }

        fun read(to: ByteBuffer) {
            val target = to.duplicate().order(ByteOrder.nativeOrder())
            if (info.dtype == Dtype.FLOAT32) {
                target.asFloatBuffer().put(buffer.readFloat())
            } else {
                target.put(buffer.readInt8())
            }
        }
    }

    /**
     * Opens artifacts as compiled models.
     *
     * @param folder of the application's own, such as `context.cacheDir`: LiteRT reads files, so the model is written
     *     there, under its SHA-256, unless it is there.
     * @param options makes the options of each model: the accelerators, in order of preference.
     */
    public class Factory(private val folder: File, private val options: () -> CompiledModel.Options) : EngineFactory {
        /**
         * Opens [artifact]'s model.
         *
         * @param threads for the CPU, where the options name it and do not say how many.
         * @throws OptionError the artifact is no `.tflite`, or [threads] is less than 1.
         * @throws EngineUnavailable LiteRT cannot compile the model for these accelerators.
         */
        override fun open(artifact: Artifact, threads: Int): Engine {
            if (artifact.kind != ModelKind.TFLITE) {
                throw OptionError("engine litert-compiled-model does not read .onnx models; valid: .tflite")
            }
            if (threads < 1) throw OptionError("threads is $threads; expected 1 or more")
            val chosen = options()
            if (chosen.cpuOptions == null) chosen.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
            try {
                val model = CompiledModel.create(file(artifact).path, chosen)
                try {
                    return bind(model, artifact)
                } catch (error: Throwable) {
                    model.close()
                    throw error
                }
            } catch (error: LiteRtException) {
                throw EngineUnavailable("litert-compiled-model cannot compile this model: ${error.message}", error)
            }
        }

        private fun bind(model: CompiledModel, artifact: Artifact): CompiledModelEngine {
            val input = artifact.manifest.input.name
            val feed = Bound(describe(input, model.getInputTensorType(input)), model.createInputBuffer(input))
            val results = artifact.manifest.outputs.map {
                Bound(describe(it.name, model.getOutputTensorType(it.name)), model.createOutputBuffer(it.name))
            }
            return CompiledModelEngine(model, feed, results)
        }

        private fun describe(name: String, type: TensorType): TensorInfo {
            val dtype = when (type.elementType) {
                TensorType.ElementType.FLOAT -> Dtype.FLOAT32
                TensorType.ElementType.INT8 -> Dtype.INT8
                else -> throw EngineUnavailable("tensor $name holds ${type.elementType}; valid: FLOAT, INT8")
            }
            val shape = type.layout?.dimensions ?: throw EngineUnavailable("tensor $name has no fixed shape")
            return TensorInfo(name, shape.toIntArray(), dtype)
        }

        /** The model as a file, whole or not at all. */
        private fun file(artifact: Artifact): File {
            val file = folder.resolve("${artifact.sha256}.tflite")
            if (file.isFile) return file
            folder.mkdirs()
            val partial = File.createTempFile("model", ".part", folder)
            try {
                partial.outputStream().channel.use { it.write(artifact.model) }
                if (!partial.renameTo(file)) throw EngineUnavailable("$file cannot be written; choose another folder")
            } finally {
                partial.delete()
            }
            return file
        }
    }
}
