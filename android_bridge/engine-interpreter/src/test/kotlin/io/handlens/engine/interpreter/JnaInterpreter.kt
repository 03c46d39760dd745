package io.handlens.engine.interpreter

import io.handlens.artifact.Artifact
import io.handlens.artifact.Dtype
import io.handlens.engine.TensorInfo
import io.handlens.engine.jna.LiteRtJnaEngine
import org.tensorflow.lite.DataType
import org.tensorflow.lite.InterpreterApi
import org.tensorflow.lite.Tensor
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * TFLite's Java interface on the library that JVMs have. As TFLite's own does, it knows no signature: outputs come in
 * the graph's order, [order], and under names of their own.
 */
internal class JnaInterpreter(artifact: Artifact, private val order: List<String>) : InterpreterApi {
    private val engine = LiteRtJnaEngine.open(artifact, 1)
    private val outputs = order.map { name -> engine.outputs.single { it.name == name } }
    private val results = engine.outputs.map { buffer(it.byteCount) }
    var closed = false

    override fun runForMultipleInputsOutputs(inputs: Array<out Any?>, outputs: Map<Int, Any?>) {
        val feed = inputs.single() as ByteBuffer
        require(feed.isDirect && feed.order() == ByteOrder.nativeOrder()) { "TFLite wants direct, native buffers" }
        engine.run(feed, results)
        for ((index, into) in outputs) {
            val from = results[engine.outputs.indexOfFirst { it.name == order[index] }]
            (into as ByteBuffer).put(from)
            from.clear()
        }
    }

    override fun getInputTensorCount(): Int = 1

    override fun getOutputTensorCount(): Int = outputs.size

    override fun getInputTensor(index: Int): Tensor = Described(engine.inputs[index], "serving_default_image:0")

    override fun getOutputTensor(index: Int): Tensor = Described(outputs[index], "StatefulPartitionedCall:$index")

    override fun allocateTensors() = Unit

    override fun close() {
        closed = true
        engine.close()
    }

    override fun run(input: Any?, output: Any?) = unused()

    override fun resizeInput(index: Int, sizes: IntArray) = unused()

    override fun resizeInput(index: Int, sizes: IntArray, strict: Boolean) = unused()

    override fun getInputIndex(name: String): Int = unused()

    override fun getOutputIndex(name: String): Int = unused()

    override fun getLastNativeInferenceDurationNanoseconds(): Long = unused()

    private fun unused(): Nothing = throw UnsupportedOperationException("the engine does not call this")

    private fun buffer(size: Int) = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

    private class Described(private val info: TensorInfo, private val name: String) : Tensor {
        override fun dataType(): DataType = when (info.dtype) {
            Dtype.FLOAT32 -> DataType.FLOAT32
            Dtype.INT8 -> DataType.INT8
            Dtype.UINT8 -> DataType.UINT8
        }

        override fun shape(): IntArray = info.shape

        override fun name(): String = name

        override fun quantizationParams() = Tensor.QuantizationParams(info.quantScale ?: 0f, info.quantZeroPoint ?: 0)

        override fun numBytes(): Int = info.byteCount

        override fun numDimensions(): Int = info.shape.size

        override fun numElements(): Int = info.shape.fold(1) { product, side -> product * side }

        override fun shapeSignature(): IntArray = info.shape

        override fun index(): Int = 0

        override fun asReadOnlyBuffer(): ByteBuffer = throw UnsupportedOperationException("never called")
    }
}
