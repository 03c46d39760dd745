package io.handlens.engine.ort

import ai.onnxruntime.NodeInfo
import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.artifact.Dtype
import io.handlens.engine.TensorInfo
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** An input or output: what it is, ONNX Runtime's tensor, and the direct buffer that the tensor's values lie in. */
internal class OrtTensor private constructor(
    val info: TensorInfo,
    val tensor: OnnxTensor,
    private val memory: ByteBuffer,
) {
    /** Copies [from], whole, into the tensor. */
    fun write(from: ByteBuffer) = copy(from, memory)

    /** Copies the tensor, whole, to [to]. */
    fun read(to: ByteBuffer) = copy(memory, to)

    private fun copy(from: ByteBuffer, to: ByteBuffer) {
        if (from.capacity() != info.byteCount || to.capacity() != info.byteCount) {
            throw EngineError("tensor ${info.name} has ${info.byteCount} bytes; its buffer has another size")
        }
        from.whole()
        to.whole()
        to.put(from)
        from.whole()
        to.whole()
    }

    companion object {
        /**
         * A tensor for a node of the graph.
         *
         * @throws EngineUnavailable its shape is not fixed, or its values are of another dtype than the three.
         */
        fun of(environment: OrtEnvironment, node: NodeInfo): OrtTensor {
            val found = node.info as? ai.onnxruntime.TensorInfo
                ?: throw EngineUnavailable("${node.name} is no tensor; expected one")
            val dtype = DTYPES[found.type] ?: throw EngineUnavailable(
                "tensor ${node.name} holds ${found.type}; valid: ${DTYPES.keys.joinToString()}",
            )
            val shape = found.shape
            if (shape.any { it < 1 } || shape.fold(1.0) { product, side -> product * side } > MAX_ELEMENTS) {
                throw EngineUnavailable(
                    "tensor ${node.name} has shape ${shape.asList()}; expected fixed sizes, a batch of 1, and at " +
                        "most $MAX_ELEMENTS values",
                )
            }
            val info = TensorInfo(node.name, IntArray(shape.size) { shape[it].toInt() }, dtype)
            val memory = ByteBuffer.allocateDirect(info.byteCount).order(ByteOrder.nativeOrder())
            return OrtTensor(info, OnnxTensor.createTensor(environment, memory, shape, found.type), memory)
        }

        // As in a manifest.
        private const val MAX_ELEMENTS = 1L shl 28

        private val DTYPES = mapOf(
            OnnxJavaType.FLOAT to Dtype.FLOAT32,
            OnnxJavaType.INT8 to Dtype.INT8,
            OnnxJavaType.UINT8 to Dtype.UINT8,
        )

        // Called on Buffer: ByteBuffer's own clear() of Java 9 is missing on older phones.
        private fun Buffer.whole() {
            clear()
        }
    }
}
