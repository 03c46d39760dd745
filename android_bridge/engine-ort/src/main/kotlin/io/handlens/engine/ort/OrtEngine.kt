package io.handlens.engine.ort

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtSession
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
 * ONNX Runtime on the CPU: reads `.onnx` artifacts, on a JVM and on Android alike (the same `ai.onnxruntime` classes).
 *
 * The library is the application's: `com.microsoft.onnxruntime:onnxruntime` on a JVM, `onnxruntime-android` on a phone.
 * Inputs and outputs are buffers that are made once; a run allocates no tensor, though the library's own Java layer
 * makes a few objects of some bytes for each call.
 */
public class OrtEngine private constructor(
    override val version: String,
    private val session: OrtSession,
    private val feed: OrtTensor,
    private val results: List<OrtTensor>,
) : Engine {
    override val name: String = "onnxruntime"
    override val inputs: List<TensorInfo> = listOf(feed.info)
    override val outputs: List<TensorInfo> = results.map { it.info }

    private val fed = mapOf(feed.info.name to feed.tensor)
    private val pinned: Map<String, OnnxTensor> = results.associate { it.info.name to it.tensor }
    private var open = true

    override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
        if (!open) throw EngineError("this onnxruntime engine was closed; open another")
        if (into.size != results.size) {
            throw EngineError("onnxruntime got ${into.size} buffers for ${results.size} outputs")
        }
        this.feed.write(feed)
        try {
            session.run(fed, pinned).close()
        } catch (error: OrtException) {
            throw EngineError("onnxruntime $version failed on this model: ${error.firstLine()}", error)
        }
        for (index in results.indices) results[index].read(into[index])
    }

    /** Releases the session and its tensors; a later [run] fails. */
    override fun close() {
        if (!open) return
        open = false
        (results + feed).forEach { it.tensor.close() }
        session.close()
    }

    /** Opens artifacts on ONNX Runtime; see [OrtEngine]. */
    public companion object Factory : EngineFactory {
        /**
         * Opens [artifact]'s model.
         *
         * @throws OptionError the artifact is no `.onnx`, or [threads] is less than 1.
         * @throws EngineUnavailable ONNX Runtime is not on the class path, or cannot read the model.
         */
        override fun open(artifact: Artifact, threads: Int): Engine {
            if (artifact.kind != ModelKind.ONNX) {
                throw OptionError("engine onnxruntime does not read .tflite models; valid: .onnx, or another engine")
            }
            return open(artifact.model, threads)
        }

        internal fun open(model: ByteBuffer, threads: Int): OrtEngine {
            if (threads < 1) throw OptionError("threads is $threads; expected 1 or more")
            val environment = environment()
            val session = try {
                OrtSession.SessionOptions().use { options ->
                    options.setIntraOpNumThreads(threads)
                    options.setInterOpNumThreads(1)
                    // Its warnings are about graph clean-ups; its errors come back as exceptions.
                    options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL)
                    environment.createSession(model, options)
                }
            } catch (error: OrtException) {
                throw EngineUnavailable("onnxruntime cannot read this model: ${error.firstLine()}", error)
            }
            return try {
                bind(environment, session)
            } catch (error: Throwable) {
                session.close()
                throw error
            }
        }

        private fun bind(environment: OrtEnvironment, session: OrtSession): OrtEngine {
            if (session.numInputs != 1L) {
                throw EngineUnavailable("the model has ${session.numInputs} inputs; an artifact has one")
            }
            val made = ArrayList<OrtTensor>()
            try {
                val (inputs, outputs) = listOf(session.inputInfo, session.outputInfo).map { nodes ->
                    nodes.values.map { OrtTensor.of(environment, it).also(made::add) }
                }
                return OrtEngine(environment.version, session, inputs.single(), outputs)
            } catch (error: Throwable) {
                made.forEach { it.tensor.close() }
                throw error
            }
        }

        private fun environment(): OrtEnvironment = try {
            OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL)
        } catch (error: LinkageError) {
            throw EngineUnavailable(
                "onnxruntime is not on the class path; add com.microsoft.onnxruntime:onnxruntime-android " +
                    "(onnxruntime on a JVM) to the dependencies",
                error,
            )
        }

        private fun Throwable.firstLine(): String = message.orEmpty().lineSequence().first()
    }
}
