package io.handlens.decode

import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.image.Fitting
import io.handlens.image.Region
import io.handlens.image.Resizer
import io.handlens.image.RgbImage

/**
 * Brings a map of scores to the image: to the input's size, out of the letterbox, to the image's size; steps 3 to 5 of
 * "From a map to the image" in docs/artifact-format.md, to the byte.
 *
 * Nothing is allocated while the sizes stay the same. Not thread-safe.
 *
 * @param spec the model's input; it is resized, letterboxed or cropped.
 */
internal class MapPlacer(private val spec: InputSpec) {
    private val toInput = Resizer()
    private val toImage = Resizer()
    private val plane = RgbImage(ByteArray(spec.height * spec.width), spec.width, spec.height, channels = 1)
    private var from: Region? = null
    private var into: Region? = null
    private var width = 0
    private var height = 0

    /**
     * Writes the map into [image] (uint8, one channel); 0 where a centre crop cut pixels off.
     *
     * @param map uint8, one channel, of any size; it covers the whole input.
     */
    fun place(map: RgbImage, image: RgbImage) {
        if (image.width != width || image.height != height) fit(image.width, image.height)
        toInput.resize(map, plane)
        if (into != null) image.pixels.fill(0)
        toImage.resize(plane, image, from, into)
    }

    private fun fit(width: Int, height: Int) {
        this.width = width
        this.height = height
        from = if (spec.fit == Fit.LETTERBOX) Fitting.inside(height, width, spec.height, spec.width) else null
        into = if (spec.fit == Fit.CROP) Fitting.centre(height, width, spec.height, spec.width) else null
    }
}
