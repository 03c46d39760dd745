package io.handlens.engine.jna

import com.sun.jna.Pointer
import io.handlens.EngineUnavailable
import io.handlens.artifact.Dtype
import io.handlens.engine.TensorInfo
import io.handlens.engine.jna.NativeScope.Companion.address
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** An input or output: what it is, LiteRT's buffer for it, and that buffer's memory. */
internal class NativeTensor(val info: TensorInfo, val handle: Long, val memory: ByteBuffer)

private const val RANKED = 0L
private const val PER_TENSOR = 1L
private const val RANK_MASK = 0x7f

// LiteRtRankedTensorType: the element type, then a layout of a rank (7 bits) and up to 8 sizes.
private const val LAYOUT = 4L
private const val SIZES = 8L

/** Reads a tensor's name, shape, dtype and quantization, as Python's `TensorInfo` has them. */
internal fun NativeScope.describe(name: String, tensor: Long): TensorInfo {
    if (number("a tensor's kind") { LiteRtApi.LiteRtGetTensorTypeId(tensor, it) }.toInt().toLong() != RANKED) {
        throw EngineUnavailable("tensor $name has no fixed shape; convert the model with a batch of 1")
    }
    require("a tensor's type", LiteRtApi.LiteRtGetRankedTensorType(tensor, out.address))
    val dtype = dtypeOf(name, out.getInt(0))
    val shape = IntArray(out.getInt(LAYOUT) and RANK_MASK) { out.getInt(SIZES + it * Int.SIZE_BYTES) }
    if (shape.any { it < 1 }) {
        throw EngineUnavailable("tensor $name has shape ${shape.toList()}; convert the model with a batch of 1")
    }
    val kind = number("a tensor's quantization") { LiteRtApi.LiteRtGetQuantizationTypeId(tensor, it) }
    if (kind.toInt().toLong() != PER_TENSOR) return TensorInfo(name, shape, dtype, null, null)
    require("a tensor's scale", LiteRtApi.LiteRtGetPerTensorQuantization(tensor, out.address))
    val scale = out.getFloat(0)
    return if (scale == 0f) {
        TensorInfo(name, shape, dtype, null, null)
    } else {
        TensorInfo(name, shape, dtype, scale, out.getLong(Long.SIZE_BYTES.toLong()).toInt())
    }
}

/** Makes the buffer for a tensor of [info], as large and aligned as [requirements] (a handle) say. */
internal fun NativeScope.allocate(environment: Long, tensor: Long, info: TensorInfo, requirements: Long): NativeTensor {
    require("a tensor's type", LiteRtApi.LiteRtGetRankedTensorType(tensor, out.address + TYPE_AT))
    val buffer = make("a tensor's buffer", LiteRtApi::LiteRtDestroyTensorBuffer) {
        LiteRtApi.LiteRtCreateManagedTensorBufferFromRequirements(environment, out.address + TYPE_AT, requirements, it)
    }
    val size = number("a buffer's size") { LiteRtApi.LiteRtGetTensorBufferSize(buffer, it) }
    if (size < info.byteCount) {
        throw EngineUnavailable("LiteRT gave tensor ${info.name} $size bytes; it needs ${info.byteCount}")
    }
    val memory = Pointer(handle("a buffer's memory") { LiteRtApi.LiteRtGetTensorBufferHostMemory(buffer, it) })
    val bytes = memory.getByteBuffer(0, info.byteCount.toLong()).order(ByteOrder.nativeOrder())
    return NativeTensor(info, buffer, bytes)
}

private const val TYPE_AT = 16L

private fun dtypeOf(name: String, elementType: Int): Dtype = when (elementType) {
    1 -> Dtype.FLOAT32
    3 -> Dtype.UINT8
    9 -> Dtype.INT8
    else -> throw EngineUnavailable("tensor $name has LiteRT's element type $elementType; valid: float32, int8, uint8")
}
