package io.handlens.image

import io.handlens.ImageShapeError
import io.handlens.artifact.Colour
import io.handlens.artifact.Dtype
import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.Layout
import io.handlens.difference
import io.handlens.digest
import io.handlens.doubles
import io.handlens.get
import io.handlens.int
import io.handlens.long
import io.handlens.randomImage
import io.handlens.rows
import io.handlens.testing.VectorLog
import io.handlens.text
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.nio.ByteBuffer
import java.nio.ByteOrder

class PreprocessorTest {
    @Test
    fun `every image is fitted as in Python, byte for byte, and so is the way back`() {
        val rows = rows("letterbox.json")
        var worst = 0.0
        for (row in rows) {
            val preprocessor = Preprocessor(specOf(row[4]))
            // Another image first: nothing of it may be left.
            preprocessor.prepare(randomImage(0, 5, 50, 3))
            val geometry = preprocessor.prepare(randomImage(row[0].long, row[1].int, row[2].int, row[3].int))
            val found = doubleArrayOf(geometry.scaleX, geometry.scaleY, geometry.left, geometry.top)
            assertArrayEquals(row[5].doubles, found, "$row")
            worst = maxOf(worst, difference(row[7], preprocessor.prepared.pixels))
            assertEquals(row[6].text, digest(preprocessor.prepared.pixels), "$row")
        }
        VectorLog.record("letterbox", rows.size, worst)
    }

    @Test
    fun `every tensor comes out as in Python, byte for byte`() {
        val rows = rows("tensor.json")
        var worst = 0.0
        for (row in rows) {
            val spec = specOf(row[1])
            val image = randomImage(row[0].long, spec.height, spec.width, 3)
            val bytes = ByteBuffer.allocate(spec.elements * spec.dtype.bytes).order(ByteOrder.LITTLE_ENDIAN)
            Preprocessor(spec).into(image, bytes)
            assertEquals(0, bytes.position())
            val floats = bytes.asFloatBuffer()
            worst = maxOf(
                worst,
                difference(row[3], spec.elements) {
                    when (spec.dtype) {
                        Dtype.FLOAT32 -> floats.get(it).toDouble()
                        Dtype.INT8 -> bytes.get(it).toDouble()
                        Dtype.UINT8 -> (bytes.get(it).toInt() and 0xFF).toDouble()
                    }
                },
            )
            assertEquals(row[2].text, digest(bytes.array()), "$row")
            if (spec.dtype == Dtype.FLOAT32) {
                val target = FloatArray(spec.elements)
                Preprocessor(spec).into(image, target)
                assertArrayEquals(FloatArray(spec.elements) { floats.get(it) }, target)
            }
        }
        VectorLog.record("tensor", rows.size, worst)
    }

    @Test
    fun `boxes come back to where they were`() {
        val spec = plain(Fit.LETTERBOX)
        val geometry = Preprocessor(spec).prepare(randomImage(1, 100, 37, 3))
        assertEquals(12.25, geometry.inverseX(geometry.forwardX(12.25)), 1e-12)
        assertEquals(80.5, geometry.inverseY(geometry.forwardY(80.5)), 1e-12)
        assertEquals(Geometry(18 / 37.0, 0.48, 15.0, 0.0), geometry)
    }

    @Test
    fun `an image or points that do not belong are refused`() {
        val grey = randomImage(1, 9, 9, 1)
        val points = DoubleArray(10) { it * it + 1.0 }
        val colour = Preprocessor(plain(Fit.RESIZE))
        assertThrows<ImageShapeError> { colour.prepare(grey) }
        assertThrows<ImageShapeError> { colour.prepare(randomImage(1, 9, 9, 3), points) }
        assertThrows<ImageShapeError> { colour.into(randomImage(1, 9, 9, 3), FloatArray(3)) }
        assertThrows<ImageShapeError> { colour.into(randomImage(1, 9, 9, 3), ByteBuffer.allocate(9)) }
        val aligned = plain(Fit.ALIGN).copy(template = points.asList())
        assertThrows<ImageShapeError> { Preprocessor(aligned).prepare(randomImage(1, 9, 9, 3)) }
        assertThrows<ImageShapeError> { Preprocessor(aligned).prepare(randomImage(1, 9, 9, 3), DoubleArray(10)) }
        val vector = InputSpec("x", 1, 4, 1, listOf(1.0), listOf(0.0), colour = Colour.GREY, fit = Fit.VECTOR)
        assertThrows<ImageShapeError> { Preprocessor(vector) }
    }

    @Test
    fun `a grey model takes grey and colour`() {
        val spec = InputSpec("x", 6, 6, 1, listOf(1.0), listOf(0.0), colour = Colour.GREY, layout = Layout.NCHW)
        val grey = randomImage(3, 6, 6, 1)
        val rgb = RgbImage(ByteArray(108) { grey.pixels[it / 3] }, 6, 6)
        val found = Preprocessor(spec)
        found.prepare(rgb)
        assertArrayEquals(grey.pixels, found.prepared.pixels)
        found.prepare(grey)
        assertArrayEquals(grey.pixels, found.prepared.pixels)
    }

    private fun plain(fit: Fit) = InputSpec(
        name = "image",
        height = 48,
        width = 48,
        channels = 3,
        scale = List(3) { 1.0 },
        offset = List(3) { 0.0 },
        fit = fit,
        template = if (fit == Fit.ALIGN) List(10) { it * it + 1.0 } else emptyList(),
    )
}
