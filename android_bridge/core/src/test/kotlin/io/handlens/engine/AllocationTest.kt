package io.handlens.engine

import com.sun.management.ThreadMXBean
import io.handlens.artifact.Artifact
import io.handlens.artifact.Colour
import io.handlens.artifact.Dtype
import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.Layout
import io.handlens.artifact.OutputSpec
import io.handlens.artifact.Tolerance
import io.handlens.randomImage
import io.handlens.testing.Golden as Files
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer

class AllocationTest {
    private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

    @Test
    fun `after the first frame of a size nothing is allocated, for any fit, colour and dtype`() {
        val kinds = listOf(Colour.RGB to Dtype.INT8, Colour.BGR to Dtype.FLOAT32, Colour.GREY to Dtype.UINT8)
        for (fit in listOf(Fit.RESIZE, Fit.LETTERBOX, Fit.CROP, Fit.ALIGN)) {
            for ((colour, dtype) in kinds) {
                for ((height, width) in listOf(97 to 61, 40 to 200, 30 to 20, 64 to 48)) {
                    val session = session(fit, colour, dtype)
                    val image = randomImage(1, height, width, 3)
                    val points = if (fit == Fit.ALIGN) DoubleArray(10) { TEMPLATE[it] * height / 30 + it % 3 } else null
                    assertEquals(0, allocated { session.run(image, points) }, "$fit $colour $dtype $height $width")
                }
            }
        }
    }

    @Test
    fun `floats and numbers are fed without allocating`() {
        val session = session(Fit.VECTOR, Colour.GREY, Dtype.INT8)
        val numbers = DoubleArray(48) { it * 0.5 }
        assertEquals(0, allocated { session.run(numbers) })
        assertEquals(0, allocated { session.run() })
        assertEquals(0, allocated { session.output("b") })
    }

    private fun allocated(frame: () -> Unit): Long {
        repeat(3) { frame() }
        var least = Long.MAX_VALUE
        // The least of a few: what the measuring itself, or a compilation, allocates is no frame's.
        repeat(5) {
            val before = threads.currentThreadAllocatedBytes
            repeat(20) { frame() }
            least = minOf(least, threads.currentThreadAllocatedBytes - before)
        }
        return least
    }

    private fun session(fit: Fit, colour: Colour, dtype: Dtype): Session {
        val vector = fit == Fit.VECTOR
        val channels = if (colour == Colour.GREY) 1 else 3
        val quantized = dtype != Dtype.FLOAT32
        val scale = if (quantized) 0.0117 else null
        val input = InputSpec(
            name = "x",
            height = if (vector) 1 else 32,
            width = 48,
            channels = channels,
            scale = List(channels) { 0.004 },
            offset = List(channels) { 0.5 },
            dtype = dtype,
            layout = if (colour == Colour.BGR) Layout.NCHW else Layout.NHWC,
            colour = colour,
            fit = fit,
            template = if (fit == Fit.ALIGN) TEMPLATE.asList() else emptyList(),
            quantScale = scale,
            quantZeroPoint = if (quantized) 3 else null,
        )
        val outputs = listOf(
            OutputSpec("a", "floats", listOf(1, 9), Tolerance(0.0, 0.0)),
            OutputSpec("b", "bytes", listOf(1, 700), Tolerance(0.0, 0.0), Dtype.INT8, 0.5, 1),
        )
        val tiny = Artifact.open(Files.file("artifacts/tiny_int8.tflite").readBytes())
        val manifest = tiny.manifest.copy(input = input, outputs = outputs)
        val artifact = Artifact("x", tiny.kind, manifest, emptyList(), "", 0, emptyMap(), ByteBuffer.allocateDirect(0))
        val engine = FakeEngine(
            listOf(TensorInfo("x", input.shape.toIntArray(), dtype)),
            // Another order than the manifest's.
            outputs.reversed().map { TensorInfo(it.name, it.shape.toIntArray(), it.dtype) },
        ) { feed, into -> into[0].put(1, feed.get(0)) }
        return Session.open(artifact, { _, _ -> engine })
    }

    private companion object {
        val TEMPLATE = doubleArrayOf(14.0, 12.0, 34.0, 12.5, 24.0, 18.0, 16.0, 25.0, 32.0, 25.5)
    }
}
