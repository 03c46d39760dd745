package io.handlens.image

/**
 * An upright picture: [height] rows of [width] pixels of [channels] bytes, row by row, uint8.
 *
 * The pixels are not copied: a frame loop writes the next frame into the same array.
 *
 * @property pixels interleaved RGB, `(height, width, 3)`; or grey, `(height, width, 1)`.
 * @throws IllegalArgumentException the sizes and the array do not fit together.
 */
public class RgbImage(
    public val pixels: ByteArray,
    public val width: Int,
    public val height: Int,
    public val channels: Int = 3,
) {
    init {
        require(width > 0 && height > 0) { "the picture is $width x $height; expected at least 1 x 1" }
        require(channels == 1 || channels == 3) { "the picture has $channels channels; valid: 3 (RGB) or 1 (grey)" }
        require(pixels.size.toLong() == width.toLong() * height * channels) {
            "the picture is $width x $height x $channels; its array has ${pixels.size} bytes"
        }
    }
}
