package io.handlens.image

import io.handlens.ImageShapeError
import io.handlens.artifact.hex
import io.handlens.at
import io.handlens.difference
import io.handlens.digest
import io.handlens.doubles
import io.handlens.get
import io.handlens.int
import io.handlens.list
import io.handlens.long
import io.handlens.randomImage
import io.handlens.rows
import io.handlens.testing.VectorLog
import io.handlens.text
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.MessageDigest

class AlignTest {
    private val template = doubleArrayOf(
        38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041,
    )

    @Test
    fun `every recorded face comes out, byte for byte, from one aligner`() {
        val aligner = Aligner()
        val rows = rows("align.json")
        for (row in rows) {
            val name = row.at("generator").text
            val image = Patterns.generate(name, row.at("seed").long, row.at("height").int, row.at("width").int, 3)
            val points = row.at("points").list.flatMap { it.doubles.asList() }.toDoubleArray()
            val found = blank(row.at("size").int, row.at("size").int, 3)
            aligner.align(image, points, row.at("template").doubles, found)
            assertEquals(row.at("sha256").text, hex(MessageDigest.getInstance("SHA-256").digest(found.pixels)), "$row")
        }
        VectorLog.record("align", rows.size, 0.0)
    }

    @Test
    fun `a sweep over sizes, angles and places comes out, byte for byte`() {
        val aligner = Aligner()
        val rows = rows("align_sweep.json")
        var worst = 0.0
        for (row in rows) {
            val image = randomImage(row[0].long, row[1].int, row[2].int, row[3].int)
            val side = row[5].int
            val found = blank(side, side, row[3].int)
            aligner.align(image, row[4].doubles, DoubleArray(10) { template[it] * side / 112 }, found)
            worst = maxOf(worst, difference(row[8], found.pixels))
            assertEquals(row[7].text, digest(found.pixels), "$row")
        }
        VectorLog.record("align", rows.size, worst)
    }

    @Test
    fun `a similarity and its inverse lead back`() {
        val points = doubleArrayOf(1.0, 2.0, 30.0, 4.0, 5.0, 60.0)
        val there = Similarity.fit(points, doubleArrayOf(0.0, 9.0, 8.0, 1.0, 20.0, 30.0))
        val back = there.inverse()
        val x = there.forwardX(3.0, 4.0)
        val y = there.forwardY(3.0, 4.0)
        assertEquals(3.0, back.forwardX(x, y), 1e-9)
        assertEquals(4.0, back.forwardY(x, y), 1e-9)
        assertEquals(1.0, there.scale * back.scale, 1e-9)
    }

    @Test
    fun `points that are none are refused`() {
        val bad = listOf(
            DoubleArray(10) { 5.0 },
            DoubleArray(8) { it.toDouble() },
            DoubleArray(10) { if (it == 3) Double.NaN else it * it + 0.0 },
            DoubleArray(10) { it * 1e6 },
            DoubleArray(10) { it * it * 1e-6 },
        )
        for (points in bad) assertThrows<ImageShapeError> { Similarity.fit(points, template) }
        assertThrows<ImageShapeError> { Aligner().align(blank(9, 9, 3), template, template, blank(9, 9, 1)) }
    }
}
