package io.handlens.engine

import io.handlens.artifact.Dtype
import io.handlens.artifact.OutputSpec
import io.handlens.image.FloatView
import io.handlens.image.getAll
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** One output of a session: the engine's bytes, and the floats that they stand for. */
internal class Output(spec: OutputSpec, scale: Float, private val zeroPoint: Int) {
    val name: String = spec.name
    val bytes: ByteBuffer = ByteBuffer.allocateDirect(spec.elements * spec.dtype.bytes).order(ByteOrder.nativeOrder())
    val floats: FloatArray = FloatArray(spec.elements)
    private val view = FloatView()
    private val raw = ByteArray(if (spec.dtype == Dtype.FLOAT32) 0 else spec.elements)

    /** What each byte stands for: (q - zero point) * scale, in 32-bit floats as in Python. */
    private val table = FloatArray(if (raw.isEmpty()) 0 else 256) {
        ((if (spec.dtype == Dtype.INT8) it.toByte().toInt() else it) - zeroPoint).toFloat() * scale
    }

    fun dequantize() {
        if (table.isEmpty()) {
            view.of(bytes).get(floats)
            return
        }
        getAll(bytes, raw)
        for (i in raw.indices) floats[i] = table[raw[i].toInt() and 0xFF]
    }
}
