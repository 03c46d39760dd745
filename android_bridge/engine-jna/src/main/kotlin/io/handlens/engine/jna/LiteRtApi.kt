package io.handlens.engine.jna

import com.sun.jna.Native
import com.sun.jna.NativeLibrary

/**
 * The few functions of LiteRT's C API (its headers in litert/c, of version 2) that a CPU run needs, by their own names.
 *
 * JNA's direct mapping binds them, with handles, addresses and `size_t` as [Long], so that a call allocates nothing.
 * Each function returns a status, 0 for well; "out" parameters are addresses of 8 bytes. Only 64-bit systems fit this.
 */
internal object LiteRtApi {
    /** Binds every function to [library]; once in a process. */
    fun bind(library: NativeLibrary) {
        check(Native.POINTER_SIZE == Long.SIZE_BYTES) { "LiteRtJnaEngine runs on 64-bit systems alone" }
        Native.register(LiteRtApi::class.java, library)
    }

    @JvmStatic
    external fun LiteRtCreateEnvironment(count: Int, options: Long, environment: Long): Int

    @JvmStatic
    external fun LiteRtDestroyEnvironment(environment: Long)

    @JvmStatic
    external fun LiteRtCreateModelFromBuffer(environment: Long, address: Long, size: Long, model: Long): Int

    @JvmStatic
    external fun LiteRtDestroyModel(model: Long)

    @JvmStatic
    external fun LiteRtCreateOptions(options: Long): Int

    @JvmStatic
    external fun LiteRtDestroyOptions(options: Long)

    @JvmStatic
    external fun LiteRtSetOptionsHardwareAccelerators(options: Long, accelerators: Int): Int

    @JvmStatic
    external fun LiteRtCreateOpaqueOptions(identifier: Long, payload: Long, destructor: Long, options: Long): Int

    @JvmStatic
    external fun LiteRtAddOpaqueOptions(options: Long, opaque: Long): Int

    @JvmStatic
    external fun LiteRtDestroyOpaqueOptions(opaque: Long)

    @JvmStatic
    external fun LiteRtCreateCompiledModel(environment: Long, model: Long, options: Long, compiled: Long): Int

    @JvmStatic
    external fun LiteRtDestroyCompiledModel(compiled: Long)

    @JvmStatic
    external fun LiteRtGetNumModelSignatures(model: Long, count: Long): Int

    @JvmStatic
    external fun LiteRtGetModelSignature(model: Long, index: Long, signature: Long): Int

    @JvmStatic
    external fun LiteRtGetSignatureKey(signature: Long, key: Long): Int

    @JvmStatic
    external fun LiteRtGetNumSignatureInputs(signature: Long, count: Long): Int

    @JvmStatic
    external fun LiteRtGetSignatureInputName(signature: Long, index: Long, name: Long): Int

    @JvmStatic
    external fun LiteRtGetSignatureInputTensorByIndex(signature: Long, index: Long, tensor: Long): Int

    @JvmStatic
    external fun LiteRtGetNumSignatureOutputs(signature: Long, count: Long): Int

    @JvmStatic
    external fun LiteRtGetSignatureOutputName(signature: Long, index: Long, name: Long): Int

    @JvmStatic
    external fun LiteRtGetSignatureOutputTensorByIndex(signature: Long, index: Long, tensor: Long): Int

    @JvmStatic
    external fun LiteRtGetTensorTypeId(tensor: Long, type: Long): Int

    @JvmStatic
    external fun LiteRtGetRankedTensorType(tensor: Long, type: Long): Int

    @JvmStatic
    external fun LiteRtGetQuantizationTypeId(tensor: Long, type: Long): Int

    @JvmStatic
    external fun LiteRtGetPerTensorQuantization(tensor: Long, quantization: Long): Int

    @JvmStatic
    external fun LiteRtGetCompiledModelInputBufferRequirements(
        compiled: Long,
        signature: Long,
        index: Long,
        requirements: Long,
    ): Int

    @JvmStatic
    external fun LiteRtGetCompiledModelOutputBufferRequirements(
        compiled: Long,
        signature: Long,
        index: Long,
        requirements: Long,
    ): Int

    @JvmStatic
    external fun LiteRtCreateManagedTensorBufferFromRequirements(
        environment: Long,
        type: Long,
        requirements: Long,
        buffer: Long,
    ): Int

    @JvmStatic
    external fun LiteRtGetTensorBufferHostMemory(buffer: Long, address: Long): Int

    @JvmStatic
    external fun LiteRtGetTensorBufferSize(buffer: Long, size: Long): Int

    @JvmStatic
    external fun LiteRtDestroyTensorBuffer(buffer: Long)

    @JvmStatic
    external fun LiteRtRunCompiledModel(
        compiled: Long,
        signature: Long,
        inputCount: Long,
        inputs: Long,
        outputCount: Long,
        outputs: Long,
    ): Int
}
