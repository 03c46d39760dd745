package io.handlens.image

import io.handlens.OptionError
import io.handlens.artifact.hex
import io.handlens.at
import io.handlens.int
import io.handlens.long
import io.handlens.rows
import io.handlens.testing.VectorLog
import io.handlens.text
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.MessageDigest

class PatternsTest {
    @Test
    fun `every recorded pattern comes out`() {
        val rows = rows("patterns.json")
        for (row in rows) {
            val name = row.at("generator").text
            val (height, width, channels) = listOf("height", "width", "channels").map { row.at(it).int }
            val image = Patterns.generate(name, row.at("seed").long, height, width, channels)
            assertEquals(row.at("sha256").text, hex(MessageDigest.getInstance("SHA-256").digest(image.pixels)), "$row")
        }
        VectorLog.record("patterns", rows.size, 0.0)
    }

    @Test
    fun `an unknown pattern is refused with the known ones`() {
        val error = assertThrows<OptionError> { Patterns.generate("circle", 1, 2, 2, 3) }
        assertEquals("pattern 'circle' is unknown; valid: gradient, stripes, noise, blobs, figure, face", error.message)
    }
}
