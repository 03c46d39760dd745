package io.handlens.engine.interpreter

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.artifact.Dtype
import io.handlens.engine.TensorInfo
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Tensor
import java.nio.Buffer
import java.nio.ByteBuffer

/** What a tensor is; [name] where the signature names it, else the tensor's own. */
internal fun describe(tensor: Tensor, name: String?): TensorInfo {
    val called = name ?: tensor.name()
    val dtype = when (tensor.dataType()) {
        DataType.FLOAT32 -> Dtype.FLOAT32
        DataType.INT8 -> Dtype.INT8
        DataType.UINT8 -> Dtype.UINT8
        else -> throw EngineUnavailable("tensor $called holds ${tensor.dataType()}; valid: FLOAT32, INT8, UINT8")
    }
    val quantization = tensor.quantizationParams()
    val quantized = quantization.scale != 0f
    return TensorInfo(
        called,
        tensor.shape(),
        dtype,
        quantization.scale.takeIf { quantized },
        quantization.zeroPoint.takeIf { quantized },
    )
}

/** The buffer from its beginning to its end, which must be a tensor's size. */
internal fun ByteBuffer.whole(info: TensorInfo): ByteBuffer {
    if (capacity() != info.byteCount) {
        throw EngineError("tensor ${info.name} has ${info.byteCount} bytes; its buffer has ${capacity()}")
    }
    rewound()
    return this
}

internal fun Throwable.firstLine(): String = message.orEmpty().lineSequence().first()

// On Buffer: ByteBuffer's own clear() of Java 9 is missing on older phones.
private fun Buffer.rewound() {
    clear()
}
