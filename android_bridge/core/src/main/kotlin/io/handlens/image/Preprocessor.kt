package io.handlens.image

import io.handlens.ImageShapeError
import io.handlens.artifact.InputSpec
import java.nio.ByteBuffer

/**
 * From an image to the model's input, as Python's `handlens.image` does it, to the bit: fitted to the input's size, brought
 * to its colour, then scaled (and quantized) through a table of 256 values a channel.
 *
 * Tables and work space are kept, so that nothing is allocated after the first image of a size. Not thread-safe.
 *
 * @property spec the model's input; of any geometry but [io.handlens.artifact.Fit.VECTOR].
 * @throws ImageShapeError the input takes no image.
 */
public class Preprocessor(public val spec: InputSpec) {
    /**
     * The prepared pixels of the last image: uint8, of the input's height, width and channels, in its colour order.
     * The same image every time, overwritten by the next call.
     */
    public val prepared: RgbImage = RgbImage(ByteArray(spec.elements), spec.width, spec.height, spec.channels)

    /**
     * Brings an image to the input's size and colour: writes [prepared].
     *
     * @param image upright RGB; for a grey model also grey.
     * @param points x and y of five points (ten numbers, pixels of the image) for [io.handlens.artifact.Fit.ALIGN], else
     *     null.
     * @return where the image's pixels went; [Geometry.IDENTITY] for an aligned face, from which nothing is mapped back.
     * @throws ImageShapeError the image has the wrong channels; points are missing, bad, or given for another geometry.
     */
    @JvmOverloads
    public fun prepare(image: RgbImage, points: DoubleArray? = null): Geometry = TODO("$image $points")

    /**
     * Prepares an image and writes it as floats: `pixel * scale + offset`, in the tensor's order, not quantized.
     *
     * @param target of [InputSpec.elements] values.
     * @throws ImageShapeError as [prepare]; or the target has another size.
     */
    @JvmOverloads
    public fun into(image: RgbImage, target: FloatArray, points: DoubleArray? = null): Geometry =
        TODO("$image $target $points")

    /**
     * Prepares an image and writes the tensor itself, quantized where its dtype is an integer one.
     *
     * @param target in native byte order; written from position 0, which stays as it is.
     * @throws ImageShapeError as [prepare]; or the target has fewer bytes than the tensor.
     */
    @JvmOverloads
    public fun into(image: RgbImage, target: ByteBuffer, points: DoubleArray? = null): Geometry =
        TODO("$image $target $points")
}
