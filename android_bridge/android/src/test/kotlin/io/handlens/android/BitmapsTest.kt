package io.handlens.android

import io.handlens.image.RgbImage
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Test

class BitmapsTest {
    @Test
    fun `pixels keep their colours both ways, and transparency is dropped`() {
        val image = RgbImage(ByteArray(2 * 3 * 3) { (it * 14).toByte() }, 3, 2)
        val again = ByteArray(image.pixels.size)
        unpack(image.toArgb(), 6, again, 0)
        assertArrayEquals(image.pixels, again)
        val clear = ByteArray(3)
        unpack(intArrayOf(0x00102030), 1, clear, 0)
        assertArrayEquals(byteArrayOf(0x10, 0x20, 0x30), clear)
    }

    @Test
    fun `grey becomes three equal channels`() {
        assertArrayEquals(intArrayOf(0xFF0A0A0A.toInt(), 0xFFFFFFFF.toInt()), RgbImage(byteArrayOf(10, -1), 2, 1, 1).toArgb())
    }
}
