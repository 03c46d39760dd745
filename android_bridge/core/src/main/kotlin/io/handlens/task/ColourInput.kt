package io.handlens.task

import io.handlens.ImageShapeError
import io.handlens.artifact.Colour
import io.handlens.engine.Session
import io.handlens.image.Preprocessor
import io.handlens.image.RgbImage

/**
 * Feeds a model that reads colours: a grey image is refused, for its colours are gone, and would match other grey ones.
 *
 * @param does what the model does with colours, for the message, such as `compares`.
 */
internal class ColourInput(private val session: Session, private val does: String) {
    private val spec = session.manifest.input
    private val preprocessor = Preprocessor(spec)
    private val turned = RgbImage(ByteArray(spec.elements), spec.width, spec.height, spec.channels)

    /**
     * Runs the model on an image.
     *
     * @throws ImageShapeError the image cannot be used, or is grey where the model reads colours.
     */
    fun run(image: RgbImage) {
        preprocessor.prepare(image)
        if (spec.colour == Colour.RGB && grey(preprocessor.prepared.pixels)) {
            throw ImageShapeError(
                "the image is grey (its channels are equal), and this model $does colours; give the colour image",
            )
        }
        runPrepared(mirrored = false)
    }

    /** Runs the model on the mirror of the last image, turned after it was brought to the input's size. */
    fun runMirror() {
        runPrepared(mirrored = true)
    }

    /** The image is of the input's size already, so that the session has nothing left to fit. */
    private fun runPrepared(mirrored: Boolean) {
        val from = preprocessor.prepared.pixels
        val channels = spec.channels
        val columns = spec.width
        for (pixel in 0 until spec.height * columns) {
            val source = if (mirrored) pixel - pixel % columns + (columns - 1 - pixel % columns) else pixel
            for (channel in 0 until channels) {
                val other = if (spec.colour == Colour.BGR) channels - 1 - channel else channel
                turned.pixels[pixel * channels + channel] = from[source * channels + other]
            }
        }
        session.run(turned)
    }

    private fun grey(pixels: ByteArray): Boolean {
        for (pixel in 0 until pixels.size / RGB) {
            val at = RGB * pixel
            if (pixels[at + 1] != pixels[at] || pixels[at + 2] != pixels[at]) return false
        }
        return true
    }

    private companion object {
        const val RGB = 3
    }
}
