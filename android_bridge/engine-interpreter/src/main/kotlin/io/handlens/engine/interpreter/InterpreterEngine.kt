package io.handlens.engine.interpreter

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.ModelKind
import io.handlens.engine.Engine
import io.handlens.engine.EngineFactory
import io.handlens.engine.TensorInfo
import org.tensorflow.lite.InterpreterApi
import org.tensorflow.lite.TensorFlowLite
import java.nio.ByteBuffer

/**
 * TensorFlow Lite's interpreter on Android, by its Java API (`org.tensorflow.lite.InterpreterApi`, 2.16.1): reads
 * `.tflite` artifacts.
 *
 * The runtime is the application's choice: `org.tensorflow:tensorflow-lite`, LiteRT's own
 * `com.google.ai.edge.litert:litert` (1.x and 2.x), or Google Play services. Names come from the model's signature,
 * which the Java API does not tell. A run copies nothing that it need not; the API's own Java layer makes a few small
 * objects for each call.
 */
public class InterpreterEngine private constructor(
    override val version: String,
    private val interpreter: InterpreterApi,
    names: SignatureNames,
) : Engine {
    override val name: String = "tflite-interpreter"
    override val inputs: List<TensorInfo> =
        List(interpreter.inputTensorCount) { describe(interpreter.getInputTensor(it), names.inputs?.get(it)) }
    override val outputs: List<TensorInfo> =
        List(interpreter.outputTensorCount) { describe(interpreter.getOutputTensor(it), names.outputs?.get(it)) }

    private val feeds = arrayOfNulls<Any>(1)
    private val results = HashMap<Int, Any>()
    private var open = true

    override fun run(feed: ByteBuffer, into: List<ByteBuffer>) {
        if (!open) throw EngineError("this $name engine was closed; open another")
        if (into.size != outputs.size) throw EngineError("$name got ${into.size} buffers for ${outputs.size} outputs")
        feeds[0] = feed.whole(inputs[0])
        for (index in into.indices) results[index] = into[index].whole(outputs[index])
        try {
            interpreter.runForMultipleInputsOutputs(feeds, results)
        } catch (error: RuntimeException) {
            throw EngineError("$name $version failed on this model: ${error.firstLine()}", error)
        }
        feed.whole(inputs[0])
        for (index in into.indices) into[index].whole(outputs[index])
    }

    /** Releases the interpreter; a later [run] fails. */
    override fun close() {
        if (!open) return
        open = false
        interpreter.close()
    }

    /**
     * Opens artifacts on the interpreter; see [InterpreterEngine].
     *
     * @param options makes the options of each interpreter, such as one with a delegate or of Google Play services'
     *     runtime; the number of threads is set on what it returns.
     */
    public class Factory private constructor(
        private val options: () -> InterpreterApi.Options,
        private val create: (ByteBuffer, InterpreterApi.Options) -> InterpreterApi,
        private val version: (InterpreterApi.Options) -> String,
    ) : EngineFactory {
        @JvmOverloads
        public constructor(options: () -> InterpreterApi.Options = { InterpreterApi.Options() }) :
            this(options, InterpreterApi::create, { TensorFlowLite.runtimeVersion(it.runtime) })

        /**
         * Opens [artifact]'s model.
         *
         * @throws OptionError the artifact is no `.tflite`, or [threads] is less than 1.
         * @throws EngineUnavailable the application has no TFLite runtime, or it cannot read the model.
         */
        override fun open(artifact: Artifact, threads: Int): Engine {
            if (artifact.kind != ModelKind.TFLITE) {
                throw OptionError("engine $NAME does not read .onnx models; valid: .tflite, or take OrtEngine")
            }
            if (threads < 1) throw OptionError("threads is $threads; expected 1 or more")
            val model = artifact.model
            val chosen = options().setNumThreads(threads)
            val interpreter = refusing { create(model, chosen) }
            try {
                interpreter.allocateTensors()
                if (interpreter.inputTensorCount != 1) {
                    throw EngineUnavailable("the model has ${interpreter.inputTensorCount} inputs; an artifact has one")
                }
                return refusing { InterpreterEngine(version(chosen), interpreter, SignatureNames.of(model)) }
            } catch (error: Throwable) {
                interpreter.close()
                throw error
            }
        }

        private inline fun <T> refusing(action: () -> T): T = try {
            action()
        } catch (error: IllegalStateException) {
            throw EngineUnavailable("$NAME has no runtime (${error.firstLine()}); $ADD", error)
        } catch (error: LinkageError) {
            throw EngineUnavailable("$NAME is not on the class path; $ADD", error)
        } catch (error: IllegalArgumentException) {
            throw EngineUnavailable("$NAME cannot read this model: ${error.firstLine()}", error)
        }

        internal companion object {
            /** A factory whose interpreters are [create]'s: for tests, where there is no native runtime. */
            internal fun on(create: (ByteBuffer, InterpreterApi.Options) -> InterpreterApi): Factory =
                Factory({ InterpreterApi.Options() }, create, { "test" })
        }
    }
}

private const val NAME = "tflite-interpreter"
private const val ADD = "add com.google.ai.edge.litert:litert or org.tensorflow:tensorflow-lite to the dependencies"
