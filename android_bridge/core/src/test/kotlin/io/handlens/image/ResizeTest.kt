package io.handlens.image

import io.handlens.ImageShapeError
import io.handlens.difference
import io.handlens.digest
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

class ResizeTest {
    @Test
    fun `every size comes out as in Python, byte for byte, from one resizer`() {
        val rows = rows("resize.json")
        val resizer = Resizer()
        var worst = 0.0
        for (row in rows) {
            val image = randomImage(row[0].long, row[1].int, row[2].int, row[3].int)
            val found = blank(row[4].int, row[5].int, row[3].int)
            resizer.resize(image, found)
            worst = maxOf(worst, difference(row[7], found.pixels))
            assertEquals(row[6].text, digest(found.pixels), "$row")
        }
        VectorLog.record("resize", rows.size, worst)
    }

    @Test
    fun `a part of an image goes into a part of another, and nothing else changes`() {
        val image = randomImage(7, 40, 50, 3)
        val part = Region(left = 11, top = 3, width = 30, height = 33)
        val cut = RgbImage(ByteArray(30 * 33 * 3), 30, 33)
        for (y in 0 until 33) System.arraycopy(image.pixels, ((y + 3) * 50 + 11) * 3, cut.pixels, y * 90, 90)
        for ((height, width) in listOf(7 to 9, 40 to 41, 33 to 30, 5 to 40)) {
            val alone = blank(height, width, 3)
            Resizer().resize(cut, alone)
            val canvas = blank(60, 70, 3)
            canvas.pixels.fill(9)
            Resizer().resize(image, canvas, part, Region(4, 5, width, height))
            for (y in 0 until 60) {
                for (x in 0 until 70 * 3) {
                    val inside = y in 5 until 5 + height && x in 12 until 12 + 3 * width
                    val expected = if (inside) alone.pixels[(y - 5) * width * 3 + x - 12] else 9
                    assertEquals(expected, canvas.pixels[y * 210 + x])
                }
            }
        }
    }

    @Test
    fun `parts outside and other channels are refused`() {
        val image = blank(4, 5, 3)
        for (part in listOf(Region(0, 0, 6, 4), Region(-1, 0, 2, 2), Region(0, 3, 1, 2), Region(1, 1, 0, 1))) {
            assertThrows<ImageShapeError> { Resizer().resize(image, blank(2, 2, 3), part) }
            assertThrows<ImageShapeError> { Resizer().resize(blank(2, 2, 3), image, at = part) }
        }
        assertThrows<ImageShapeError> { Resizer().resize(image, blank(2, 2, 1)) }
        assertThrows<ImageShapeError> { Resizer().resize(image, image) }
    }

    @Test
    fun `luma is Pillow's`() {
        val rgb = RgbImage(byteArrayOf(-1, 0, 0, 0, -1, 0, 0, 0, -1, -1, -1, -1), 4, 1)
        val grey = blank(1, 4, 1)
        toGrey(rgb, grey)
        assertArrayEquals(byteArrayOf(76, 150.toByte(), 29, -1), grey.pixels)
        assertThrows<ImageShapeError> { toGrey(rgb, blank(4, 1, 1)) }
    }
}

internal fun blank(height: Int, width: Int, channels: Int) =
    RgbImage(ByteArray(height * width * channels), width, height, channels)
