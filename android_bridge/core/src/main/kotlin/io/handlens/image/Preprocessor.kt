package io.handlens.image

import io.handlens.ImageShapeError
import io.handlens.artifact.Colour
import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import java.nio.ByteBuffer

/**
 * From an image to the model's input, as Python's `handlens.image` does it, to the bit: fitted to the input's size,
 * brought to its colour, then scaled (and quantized) through a table of 256 values a channel.
 *
 * Tables and work space are kept, so that nothing is allocated after the first image of a size. Not thread-safe.
 *
 * @property spec the model's input; of any geometry but [Fit.VECTOR].
 * @throws ImageShapeError the input takes no image.
 */
public class Preprocessor(public val spec: InputSpec) {
    /**
     * The prepared pixels of the last image: uint8, of the input's height, width and channels, in its colour order.
     * The same image every time, overwritten by the next call.
     */
    public val prepared: RgbImage = RgbImage(ByteArray(spec.elements), spec.width, spec.height, spec.channels)

    private val resizer = Resizer()
    private val aligner = Aligner()
    private val writer = TensorWriter(spec)
    private val template = spec.template.toDoubleArray()

    /** A colour image of the input's size, on its way to grey. */
    private val coloured: RgbImage? =
        if (spec.channels == 3) null else RgbImage(ByteArray(spec.elements * 3), spec.width, spec.height)

    // Of the last size.
    private var width = 0
    private var height = 0
    private var geometry = Geometry.IDENTITY
    private var from: Region? = null
    private var at: Region? = null

    init {
        if (spec.fit == Fit.VECTOR) {
            throw ImageShapeError(
                "the input ${spec.name} has geometry vector: ${spec.width} numbers, no image; use the model's task " +
                    "class",
            )
        }
    }

    /**
     * Brings an image to the input's size and colour: writes [prepared].
     *
     * @param image upright RGB; for a grey model also grey.
     * @param points x and y of five points (ten numbers, pixels of the image) for [Fit.ALIGN], else null.
     * @return where the image's pixels went; [Geometry.IDENTITY] for an aligned face, from which nothing is mapped
     *     back.
     * @throws ImageShapeError the image has the wrong channels; points are missing, bad, or given for another geometry.
     */
    @JvmOverloads
    public fun prepare(image: RgbImage, points: DoubleArray? = null): Geometry {
        if (image.channels != 3 && spec.colour != Colour.GREY) {
            throw ImageShapeError("the image has one channel; expected RGB: a grey one needs three equal channels here")
        }
        val fitted = if (image.channels == spec.channels) prepared else coloured ?: prepared
        if (spec.fit == Fit.ALIGN) {
            aligner.align(image, points ?: throw ImageShapeError(needsPoints()), template, fitted)
        } else {
            if (points != null) {
                throw ImageShapeError("the input ${spec.name} has geometry ${spec.fit.key}; only align takes points")
            }
            place(image.height, image.width)
            if (spec.fit == Fit.LETTERBOX) border(fitted)
            resizer.resize(image, fitted, from, at)
        }
        if (fitted !== prepared) {
            toGrey(fitted, prepared)
        } else if (spec.colour == Colour.BGR) {
            reverse(prepared.pixels)
        }
        return geometry
    }

    /**
     * Prepares an image and writes it as floats: `pixel * scale + offset`, in the tensor's order, not quantized.
     *
     * @param target of [InputSpec.elements] values.
     * @throws ImageShapeError as [prepare]; or the target has another size.
     */
    @JvmOverloads
    public fun into(image: RgbImage, target: FloatArray, points: DoubleArray? = null): Geometry {
        if (target.size != spec.elements) {
            throw ImageShapeError("the target has ${target.size} values; the input ${spec.name} has ${spec.elements}")
        }
        return prepare(image, points).also { writer.write(prepared.pixels, target) }
    }

    /**
     * Prepares an image and writes the tensor itself, quantized where its dtype is an integer one.
     *
     * @param target in native byte order; written from position 0, which stays as it is.
     * @throws ImageShapeError as [prepare]; or the target has fewer bytes than the tensor.
     */
    @JvmOverloads
    public fun into(image: RgbImage, target: ByteBuffer, points: DoubleArray? = null): Geometry {
        if (target.limit() < spec.elements * spec.dtype.bytes) {
            throw ImageShapeError(
                "the target has ${target.limit()} bytes; the input ${spec.name} has " +
                    "${spec.elements * spec.dtype.bytes}",
            )
        }
        return prepare(image, points).also { writer.write(prepared.pixels, target) }
    }

    /** Where an image of a size goes; worked out once a size. */
    private fun place(rows: Int, columns: Int) {
        if (rows == height && columns == width) return
        height = rows
        width = columns
        if (spec.fit == Fit.LETTERBOX) {
            val inner = Fitting.inside(rows, columns, spec.height, spec.width)
            at = inner
            geometry = Geometry(
                inner.width.toDouble() / columns,
                inner.height.toDouble() / rows,
                inner.left.toDouble(),
                inner.top.toDouble(),
            )
            return
        }
        val part = if (spec.fit == Fit.CROP) Fitting.centre(rows, columns, spec.height, spec.width) else null
        from = part
        val scaleX = spec.width.toDouble() / (part?.width ?: columns)
        val scaleY = spec.height.toDouble() / (part?.height ?: rows)
        geometry = Geometry(scaleX, scaleY, -(part?.left ?: 0) * scaleX, -(part?.top ?: 0) * scaleY)
    }

    /** Fills what the image will not cover. */
    private fun border(image: RgbImage) {
        val inner = at ?: return
        val pixels = image.pixels
        val stride = image.width * image.channels
        val first = inner.top * stride
        val end = (inner.top + inner.height) * stride
        java.util.Arrays.fill(pixels, 0, first, FILL)
        java.util.Arrays.fill(pixels, end, pixels.size, FILL)
        if (inner.width == image.width) return
        for (y in 0 until inner.height) {
            val row = first + y * stride
            java.util.Arrays.fill(pixels, row, row + inner.left * image.channels, FILL)
            java.util.Arrays.fill(pixels, row + (inner.left + inner.width) * image.channels, row + stride, FILL)
        }
    }

    private fun reverse(pixels: ByteArray) {
        for (pixel in 0 until pixels.size / 3) {
            val at = 3 * pixel
            val first = pixels[at]
            pixels[at] = pixels[at + 2]
            pixels[at + 2] = first
        }
    }

    private fun needsPoints() =
        "the input ${spec.name} has geometry align, which needs the face's five points; find them with a FaceDetector"

    private companion object {
        const val FILL: Byte = 114
    }
}
