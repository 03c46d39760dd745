package io.handlens.image

import io.handlens.testing.Golden
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class RgbImageTest {
    @Test
    fun `an array of another size is refused by name`() {
        val error = assertThrows<IllegalArgumentException> { RgbImage(ByteArray(11), 2, 2) }
        assertTrue("11 bytes" in error.message.orEmpty())
    }

    @Test
    fun `the goldens are found`() {
        assertTrue(Golden.file("align.json").length() > 0)
    }
}
