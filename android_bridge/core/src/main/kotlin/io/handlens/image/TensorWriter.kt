package io.handlens.image

import io.handlens.artifact.Dtype
import io.handlens.artifact.InputSpec
import io.handlens.artifact.Layout
import java.nio.ByteBuffer

/**
 * Pixels to the values of a tensor, through tables of 256 values a channel, computed in doubles: p * scale + offset,
 * for an integer dtype floor(that / quantScale + 0.5) + quantZeroPoint, clipped.
 */
internal class TensorWriter(private val spec: InputSpec) {
    private val channels = spec.channels
    private val floats = FloatArray(256 * channels) { (level(it)).toFloat() }
    private val quantized: ByteArray?
    private val scratchBytes: ByteArray
    private val scratchFloats: FloatArray
    private val view = FloatView()

    init {
        val scale = spec.quantScale
        val zeroPoint = spec.quantZeroPoint
        quantized = if (spec.dtype == Dtype.FLOAT32 || scale == null || zeroPoint == null) {
            null
        } else {
            ByteArray(256 * channels) { quantize(level(it), scale, zeroPoint, spec.dtype) }
        }
        scratchBytes = ByteArray(if (quantized == null) 0 else spec.elements)
        scratchFloats = FloatArray(if (quantized == null) spec.elements else 0)
    }

    private fun level(index: Int): Double =
        (index and 0xFF) * spec.scale[index shr 8] + spec.offset[index shr 8]

    /** Writes floats, not quantized. */
    fun write(pixels: ByteArray, target: FloatArray) {
        val planar = spec.layout == Layout.NCHW
        val count = pixels.size / channels
        for (c in 0 until channels) {
            val table = c shl 8
            var from = c
            var to = if (planar) c * count else c
            val step = if (planar) 1 else channels
            for (i in 0 until count) {
                target[to] = floats[table or (pixels[from].toInt() and 0xFF)]
                from += channels
                to += step
            }
        }
    }

    /** Writes the tensor itself, from position 0, in the buffer's byte order; its position stays. */
    fun write(pixels: ByteArray, target: ByteBuffer) {
        val table = quantized
        if (table == null) {
            write(pixels, scratchFloats)
            view.of(target).put(scratchFloats)
            return
        }
        val planar = spec.layout == Layout.NCHW
        val count = pixels.size / channels
        for (c in 0 until channels) {
            val first = c shl 8
            var from = c
            var to = if (planar) c * count else c
            val step = if (planar) 1 else channels
            for (i in 0 until count) {
                scratchBytes[to] = table[first or (pixels[from].toInt() and 0xFF)]
                from += channels
                to += step
            }
        }
        putAll(target, scratchBytes)
    }
}

/** floor(value / scale + 0.5) + zero point, clipped to the dtype. */
internal fun quantize(value: Double, scale: Double, zeroPoint: Int, dtype: Dtype): Byte {
    val steps = Math.floor(value / scale + 0.5) + zeroPoint
    return steps.coerceIn(dtype.range.first.toDouble(), dtype.range.last.toDouble()).toInt().toByte()
}
