package io.handlens.parity

import io.handlens.ImageUnreadable
import io.handlens.image.RgbImage
import java.io.File

/** Reads a binary portable pixmap (`P6`, 255 levels, no comments) or greymap (`P5`): images that need no codec. */
internal object Picture {
    private val HEADER = Regex("""(P[56])\s(\d{1,5})\s(\d{1,5})\s255\s""")
    private const val LONGEST_HEADER = 32

    /**
     * Reads [file].
     *
     * @throws ImageUnreadable it is no such file.
     */
    fun read(file: File): RgbImage {
        val bytes = file.readBytes()
        val head = String(bytes, 0, minOf(bytes.size, LONGEST_HEADER), Charsets.ISO_8859_1)
        val match = HEADER.matchAt(head, 0)
            ?: throw ImageUnreadable("$file is no binary pixmap; expected one that begins with P6, width, height, 255")
        val (kind, width, height) = match.destructured
        val channels = if (kind == "P6") 3 else 1
        val begin = match.range.last + 1
        val size = width.toLong() * height.toLong() * channels
        if (size == 0L || bytes.size - begin != size.toInt()) {
            val found = bytes.size - begin
            throw ImageUnreadable("$file has $found bytes of pixels; expected $width x $height x $channels")
        }
        return RgbImage(bytes.copyOfRange(begin, bytes.size), width.toInt(), height.toInt(), channels)
    }
}
