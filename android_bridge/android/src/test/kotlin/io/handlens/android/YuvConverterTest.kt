package io.handlens.android

import com.sun.management.ThreadMXBean
import io.handlens.ImageShapeError
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.math.roundToInt

class YuvConverterTest {
    /** Luma counts up, so that each pixel is known by its level; the colour planes are neutral. */
    private fun grey(width: Int, height: Int, rowStride: Int = width, pixelStride: Int = 1): Triple<Plane, Plane, Plane> {
        val luma = ByteBuffer.allocateDirect(rowStride * height)
        for (y in 0 until height) for (x in 0 until width) luma.put(y * rowStride + x, (10 + y * width + x).toByte())
        val across = (width + 1) / 2
        val rows = (height + 1) / 2
        val colour = ByteBuffer.allocateDirect(across * pixelStride * rows)
        for (index in 0 until colour.capacity()) colour.put(index, 128.toByte())
        return Triple(Plane(luma, rowStride, 1), Plane(colour, across * pixelStride, pixelStride), Plane(colour, across * pixelStride, pixelStride))
    }

    private fun levels(width: Int, height: Int, degrees: Int, mirrored: Boolean = false, rowStride: Int = width): List<List<Int>> {
        val (y, u, v) = grey(width, height, rowStride, pixelStride = 2)
        val image = YuvConverter().convert(y, u, v, 0, 0, width, height, degrees, mirrored)
        return (0 until image.height).map { row ->
            (0 until image.width).map { (image.pixels[3 * (row * image.width + it)].toInt() and 0xFF) - 10 }
        }
    }

    @Test
    fun `a frame is turned upright, and mirrored last`() {
        assertEquals(listOf(listOf(0, 1, 2), listOf(3, 4, 5)), levels(3, 2, 0))
        assertEquals(listOf(listOf(3, 0), listOf(4, 1), listOf(5, 2)), levels(3, 2, 90))
        assertEquals(listOf(listOf(5, 4, 3), listOf(2, 1, 0)), levels(3, 2, 180))
        assertEquals(listOf(listOf(2, 5), listOf(1, 4), listOf(0, 3)), levels(3, 2, 270))
        assertEquals(levels(3, 2, 270), levels(3, 2, -90))
        assertEquals(listOf(listOf(0, 3), listOf(1, 4), listOf(2, 5)), levels(3, 2, 90, mirrored = true))
    }

    @Test
    fun `padding between rows and pixels is skipped`() {
        assertEquals(levels(5, 4, 90), levels(5, 4, 90, rowStride = 64))
    }

    @Test
    fun `colours are those of JFIF, to a level`() {
        val random = java.util.Random(1)
        repeat(2000) {
            val (y, u, v) = List(3) { random.nextInt(256) }
            val planes = listOf(y, u, v).map { Plane(ByteBuffer.allocate(4).also { b -> repeat(4) { i -> b.put(i, it.toByte()) } }, 2, 1) }
            val image = YuvConverter().convert(planes[0], planes[1], planes[2], 0, 0, 2, 2, 0, false)
            val expected = listOf(
                y + 1.402 * (v - 128),
                y - 0.344136 * (u - 128) - 0.714136 * (v - 128),
                y + 1.772 * (u - 128),
            ).map { it.roundToInt().coerceIn(0, 255) }
            expected.forEachIndexed { channel, level ->
                for (pixel in 0 until 4) {
                    assertTrue(abs(level - (image.pixels[3 * pixel + channel].toInt() and 0xFF)) <= 1) { "$y $u $v" }
                }
            }
        }
    }

    @Test
    fun `a part of the frame is taken where the camera says so`() {
        val (y, u, v) = grey(8, 6)
        val image = YuvConverter().convert(y, u, v, 2, 2, 4, 2, 0, false)
        val seen = List(8) { (image.pixels[3 * it].toInt() and 0xFF) - 10 }
        assertEquals(listOf(18, 19, 20, 21, 26, 27, 28, 29), seen)
    }

    @Test
    fun `frames of one size share one image`() {
        val (y, u, v) = grey(4, 4)
        val converter = YuvConverter()
        val first = converter.convert(y, u, v, 0, 0, 4, 4, 0, false)
        assertSame(first, converter.convert(y, u, v, 0, 0, 4, 4, 180, false))
        assertTrue(first !== converter.convert(y, u, v, 0, 0, 2, 4, 0, false))
    }

    @Test
    fun `a frame loop allocates nothing`() {
        val (y, u, v) = grey(64, 48, rowStride = 80)
        val converter = YuvConverter()
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        repeat(200) { converter.convert(y, u, v, 0, 0, 64, 48, 90, true) }
        val before = threads.currentThreadAllocatedBytes
        repeat(100) { converter.convert(y, u, v, 0, 0, 64, 48, 90, true) }
        assertTrue(threads.currentThreadAllocatedBytes - before < 1000) { "a frame takes memory" }
    }

    @Test
    fun `planes that are too small and odd angles are refused`() {
        val (y, u, v) = grey(4, 4)
        assertThrows<ImageShapeError> { YuvConverter().convert(y, u, v, 0, 0, 4, 5, 0, false) }
        assertThrows<ImageShapeError> { YuvConverter().convert(y, u, v, 0, 0, 4, 4, 45, false) }
        assertThrows<ImageShapeError> { YuvConverter().convert(y, u, v, 2, 0, 4, 4, 0, false) }
    }
}
