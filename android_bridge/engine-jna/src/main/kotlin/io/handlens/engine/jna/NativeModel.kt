package io.handlens.engine.jna

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.Pointer
import io.handlens.EngineUnavailable
import io.handlens.engine.jna.NativeScope.Companion.address
import java.nio.ByteBuffer

/**
 * A compiled model with its buffers, ready to run.
 *
 * @property compiled handle of the compiled model.
 * @property signature index of the signature that runs.
 * @property feedHandles address of the inputs' buffer handles, in the signature's order.
 * @property resultHandles address of the outputs'.
 */
internal class NativeModel private constructor(
    private val scope: NativeScope,
    val compiled: Long,
    val signature: Long,
    val feeds: List<NativeTensor>,
    val results: List<NativeTensor>,
) : AutoCloseable {
    val feedHandles: Long = scope.handles(feeds)
    val resultHandles: Long = scope.handles(results)

    override fun close(): Unit = scope.close()

    companion object {
        private const val CPU = 1
        private const val ALIGNMENT = 16L
        private const val DEFAULT_SIGNATURE = "serving_default"
        private const val XNNPACK = "xnnpack"

        // The accelerators to look for: the CPU alone. The least severe message that is printed: an error.
        private val SETTINGS = listOf(24 to CPU.toLong(), 25 to 3L)
        private const val SETTING_BYTES = 24L
        private const val INTEGER = 2

        /**
         * Compiles [model], the bytes of a checked `.tflite`, for [threads] threads of the CPU.
         *
         * @param opening what a refusal begins with.
         */
        fun open(model: ByteBuffer, threads: Int, opening: String): NativeModel {
            val scope = NativeScope(opening)
            try {
                return scope.build(model, threads)
            } catch (error: Throwable) {
                scope.close()
                throw error
            }
        }

        private fun NativeScope.build(bytes: ByteBuffer, threads: Int): NativeModel {
            val environment = make("an environment", LiteRtApi::LiteRtDestroyEnvironment) {
                LiteRtApi.LiteRtCreateEnvironment(SETTINGS.size, settings(), it)
            }
            val size = bytes.capacity().toLong()
            val address = addressOf(bytes)
            val model = make("the model", LiteRtApi::LiteRtDestroyModel) {
                LiteRtApi.LiteRtCreateModelFromBuffer(environment, address, size, it)
            }
            val index = signatureIndex(model)
            val signature = handle("a signature") { LiteRtApi.LiteRtGetModelSignature(model, index, it) }
            val options = options(threads)
            val compiled = make("compiling", LiteRtApi::LiteRtDestroyCompiledModel) {
                LiteRtApi.LiteRtCreateCompiledModel(environment, model, options, it)
            }
            return NativeModel(
                this,
                compiled,
                index,
                inputs(environment, compiled, signature, index),
                outputs(environment, compiled, signature, index),
            )
        }

        /** An array of LiteRtEnvOption: a tag, the type of a value, the value. */
        private fun NativeScope.settings(): Long {
            val array = keep(Memory(SETTINGS.size * SETTING_BYTES)).apply { clear() }
            SETTINGS.forEachIndexed { index, (tag, value) ->
                array.setInt(index * SETTING_BYTES, tag)
                array.setInt(index * SETTING_BYTES + Long.SIZE_BYTES, INTEGER)
                array.setLong(index * SETTING_BYTES + 2 * Long.SIZE_BYTES, value)
            }
            return array.address
        }

        /** The model's address, or that of a copy where it does not lie as FlatBuffers want it. */
        private fun NativeScope.addressOf(bytes: ByteBuffer): Long {
            val whole = bytes.duplicate().apply { clear() }
            if (whole.isDirect) {
                val address = keep(whole).let(Native::getDirectBufferPointer).address
                if (address % ALIGNMENT == 0L) return address
            }
            val copy = keep(Memory(whole.capacity() + ALIGNMENT)).align(ALIGNMENT.toInt())
            copy.getByteBuffer(0, whole.capacity().toLong()).put(whole)
            return copy.address
        }

        private fun NativeScope.signatureIndex(model: Long): Long {
            val count = number("the signatures") { LiteRtApi.LiteRtGetNumModelSignatures(model, it) }
            val keys = (0 until count).map { index ->
                val signature = handle("a signature") { LiteRtApi.LiteRtGetModelSignature(model, index, it) }
                text("a signature's name") { LiteRtApi.LiteRtGetSignatureKey(signature, it) }
            }
            return maxOf(keys.indexOf(DEFAULT_SIGNATURE), 0).toLong()
        }

        /** Options for the CPU; the number of threads goes to XNNPACK as a line of TOML, which LiteRT frees. */
        private fun NativeScope.options(threads: Int): Long {
            val options = make("options", LiteRtApi::LiteRtDestroyOptions, LiteRtApi::LiteRtCreateOptions)
            require("the choice of the CPU", LiteRtApi.LiteRtSetOptionsHardwareAccelerators(options, CPU))
            val free = NativeLibrary.getProcess().getFunction("free").address
            val settings = NativeScope.cString("num_threads = $threads\n")
            val identifier = keep(Memory(XNNPACK.length + 1L)).apply { setString(0, XNNPACK) }
            val opaque = handle("the number of threads") {
                LiteRtApi.LiteRtCreateOpaqueOptions(identifier.address, settings, free, it)
            }
            require("the number of threads", LiteRtApi.LiteRtAddOpaqueOptions(options, opaque))
            return options
        }

        private fun NativeScope.inputs(environment: Long, compiled: Long, signature: Long, index: Long) =
            List(number("the inputs") { LiteRtApi.LiteRtGetNumSignatureInputs(signature, it) }.toInt()) {
                val at = it.toLong()
                val name = text("a name") { out -> LiteRtApi.LiteRtGetSignatureInputName(signature, at, out) }
                val tensor = handle(name) { out -> LiteRtApi.LiteRtGetSignatureInputTensorByIndex(signature, at, out) }
                val requirements = handle(name) { out ->
                    LiteRtApi.LiteRtGetCompiledModelInputBufferRequirements(compiled, index, at, out)
                }
                allocate(environment, tensor, describe(name, tensor), requirements)
            }

        private fun NativeScope.outputs(environment: Long, compiled: Long, signature: Long, index: Long) =
            List(number("the outputs") { LiteRtApi.LiteRtGetNumSignatureOutputs(signature, it) }.toInt()) {
                val at = it.toLong()
                val name = text("a name") { out -> LiteRtApi.LiteRtGetSignatureOutputName(signature, at, out) }
                val tensor = handle(name) { out -> LiteRtApi.LiteRtGetSignatureOutputTensorByIndex(signature, at, out) }
                val requirements = handle(name) { out ->
                    LiteRtApi.LiteRtGetCompiledModelOutputBufferRequirements(compiled, index, at, out)
                }
                allocate(environment, tensor, describe(name, tensor), requirements)
            }
    }
}
