package io.handlens.decode

import io.handlens.artifact.Manifest
import io.handlens.image.RgbImage
import io.handlens.task.SegmentationBuffer
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/**
 * From a segmenter's raw outputs to pixels of the image; docs/artifact-format.md has the recipe.
 *
 * Scores become bytes where the model gives them, and bytes are resampled. Nothing is allocated while the image's size
 * stays the same. Not thread-safe.
 *
 * @throws io.handlens.ManifestInvalid the decoding, geometry, outputs or labels are not those of a segmenter.
 */
internal class MaskReader(manifest: Manifest) {
    private val decoding = MaskDecoding.of(manifest)
    private val placer = MapPlacer(manifest.input)
    private val map = decoding.mapSize.let { (rows, columns) -> grey(rows, columns) }
    private val classMap = decoding.classes?.let { grey(it.shape[1], it.shape[2]) }
    private val classShares = decoding.classes?.let { DoubleArray(it.shape[1] * it.shape[2] * (it.shape[3] - 1)) }
    private val imageShares = DoubleArray(decoding.image?.elements ?: 0)
    private val imageNames = List(imageShares.size) {
        if (decoding.labelsOf == "class") manifest.labels[it] else "class $it"
    }
    private val names = if (decoding.labelsOf == "classes") manifest.labels else emptyList()
    private var rival = grey(1, 1)

    /** The first output with a value that is not finite; null where all are finite. */
    fun wrong(outputs: Outputs): String? = when {
        !finite(outputs[decoding.mask.name]) -> decoding.mask.name
        decoding.classes != null && !finite(outputs[decoding.classes.name]) -> decoding.classes.name
        decoding.image != null && !finite(outputs[decoding.image.name]) -> decoding.image.name
        else -> null
    }

    /** Fills [into] with what the outputs say of an image of [width] x [height] pixels. */
    fun read(outputs: Outputs, width: Int, height: Int, into: SegmentationBuffer) {
        into.fit(width, height, decoding.classes != null)
        val scores = outputs[decoding.mask.name]
        for (index in scores.indices) map.pixels[index] = byte(probability(scores[index].toDouble()))
        placer.place(map, into.plane)
        decoding.classes?.let { labels(outputs[it.name], it.shape[3], into) }
        into.names = names
        into.className = null
        if (decoding.image != null) {
            val values = outputs[decoding.image.name]
            for (index in values.indices) imageShares[index] = values[index].toDouble()
            shares(imageShares, 0, imageShares.size)
            val best = argmax(imageShares, 0, imageShares.size)
            into.className = imageNames[best]
            into.confidenceOrNaN = imageShares[best]
        }
    }

    /** The foreground class of each pixel of the mask, the lower of equals; 0 outside of it. */
    private fun labels(scores: FloatArray, classes: Int, into: SegmentationBuffer) {
        val shares = classShares ?: return
        val map = classMap ?: return
        val labels = into.labels ?: return
        val best = into.best
        if (rival.width != into.width || rival.height != into.height) rival = grey(into.height, into.width)
        val count = classes - 1
        for (pixel in map.pixels.indices) {
            for (index in 0 until count) shares[pixel * count + index] = scores[pixel * classes + index + 1].toDouble()
            shares(shares, pixel * count, count)
        }
        for (index in 0 until count) {
            for (pixel in map.pixels.indices) map.pixels[pixel] = byte(shares[pixel * count + index])
            placer.place(map, if (index == 0) best else rival)
            if (index == 0) labels.fill(1) else raise(labels, best.pixels, rival.pixels, (index + 1).toByte())
        }
        val alpha = into.alpha
        // As a signed byte, 128 and more is below 0.
        for (pixel in alpha.indices) if (alpha[pixel] >= 0) labels[pixel] = 0
    }

    private fun raise(labels: ByteArray, best: ByteArray, rival: ByteArray, label: Byte) {
        for (pixel in labels.indices) {
            if ((rival[pixel].toInt() and BYTE) > (best[pixel].toInt() and BYTE)) {
                labels[pixel] = label
                best[pixel] = rival[pixel]
            }
        }
    }

    private fun probability(score: Double): Double = if (decoding.logits) sigmoid(score) else cut(score)

    private fun shares(values: DoubleArray, from: Int, count: Int) {
        if (decoding.logits) return softmax(values, from, count)
        for (index in from until from + count) values[index] = cut(values[index])
    }

    private fun cut(value: Double): Double = min(max(value, 0.0), 1.0)

    private fun byte(probability: Double): Byte = floor(probability * BYTE + 0.5).toInt().toByte()

    private fun finite(values: FloatArray): Boolean {
        for (value in values) if (!value.isFinite()) return false
        return true
    }

    private companion object {
        const val BYTE = 255

        fun grey(height: Int, width: Int): RgbImage = RgbImage(ByteArray(height * width), width, height, channels = 1)
    }
}
