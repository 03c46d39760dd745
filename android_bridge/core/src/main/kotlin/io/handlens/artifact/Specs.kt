package io.handlens.artifact

import io.handlens.ManifestInvalid

/** What the values of a tensor are; all others are refused. */
public enum class Dtype(internal val key: String, public val bytes: Int, internal val range: IntRange) {
    /** 32-bit floats. */
    FLOAT32("float32", 4, 0..0),

    /** Bytes of -128..127. */
    INT8("int8", 1, -128..127),

    /** Bytes of 0..255. */
    UINT8("uint8", 1, 0..255),
}

/** The order of a tensor's axes; the batch is 1. */
public enum class Layout(internal val key: String) {
    /** (1, height, width, channels). */
    NHWC("NHWC"),

    /** (1, channels, height, width). */
    NCHW("NCHW"),
}

/** The order of a tensor's channels. */
public enum class Colour(internal val key: String, internal val channels: Int) {
    /** Red, green, blue. */
    RGB("RGB", 3),

    /** Blue, green, red. */
    BGR("BGR", 3),

    /** BT.601 luma, computed in integers. */
    GREY("GREY", 1),
}

/** How an image of another size is fitted to the input. */
public enum class Fit(internal val key: String) {
    /** Stretched. */
    RESIZE("resize"),

    /** Scaled to fit inside, centred on a border of value 114. */
    LETTERBOX("letterbox"),

    /** The largest centred rectangle of the input's aspect is cut out, then scaled. */
    CROP("crop"),

    /** Turned, scaled and shifted, so that five points of a face come to lie on those of the template. */
    ALIGN("align"),

    /** No image: a list of numbers. */
    VECTOR("vector"),
}

/**
 * The model's one input, and how an upright RGB uint8 image becomes it.
 *
 * A pixel p (0..255) of channel c becomes the float `p * scale[c] + offset[c]`; for an integer [dtype] that float is
 * then quantized as `floor(float / quantScale + 0.5) + quantZeroPoint`, clipped to the dtype.
 *
 * @property name of the tensor in the model (of its signature, where it has one).
 * @property height of the input, in pixels; 1 for [Fit.VECTOR].
 * @property width of the input, in pixels; how many numbers for [Fit.VECTOR].
 * @property channels 3 for RGB and BGR, 1 for GREY.
 * @property dtype of the tensor in the file.
 * @property layout of the tensor.
 * @property colour order of the tensor's channels, of [scale] and of [offset].
 * @property scale one factor a channel.
 * @property offset one summand a channel.
 * @property fit how an image of another size is fitted (`geometry` in the file).
 * @property template for [Fit.ALIGN]: x and y of image-left eye, image-right eye, nose tip, image-left and image-right
 *     mouth corner, ten numbers in pixels of the input, (0, 0) the outer corner of the first pixel; else empty.
 * @property quantScale for an integer dtype.
 * @property quantZeroPoint for an integer dtype.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class InputSpec(
    public val name: String,
    public val height: Int,
    public val width: Int,
    public val channels: Int,
    public val scale: List<Double>,
    public val offset: List<Double>,
    public val dtype: Dtype = Dtype.FLOAT32,
    public val layout: Layout = Layout.NHWC,
    public val colour: Colour = Colour.RGB,
    public val fit: Fit = Fit.RESIZE,
    public val template: List<Double> = emptyList(),
    public val quantScale: Double? = null,
    public val quantZeroPoint: Int? = null,
) {
    init {
        requireName(name, "InputSpec.name")
        for ((what, side) in listOf("height" to height, "width" to width)) {
            if (side !in 1..MAX_SIDE) throw ManifestInvalid("InputSpec.$what is $side; valid: 1 to $MAX_SIDE")
        }
        if (colour.channels != channels) {
            throw ManifestInvalid(
                "InputSpec.channels is $channels with colour ${colour.key}; RGB and BGR have 3, GREY has 1",
            )
        }
        if (fit == Fit.VECTOR && (height != 1 || channels != 1 || layout != Layout.NHWC)) {
            throw ManifestInvalid(
                "InputSpec has geometry vector with height $height, $channels channels and layout ${layout.key}; a " +
                    "vector has height 1, one channel (GREY) and layout NHWC: its numbers are the width",
            )
        }
        if (template.size != (if (fit == Fit.ALIGN) 10 else 0)) {
            throw ManifestInvalid(
                "InputSpec.template has ${template.size} numbers with geometry ${fit.key}; align has 10 (x and y of " +
                    "five points), the others none",
            )
        }
        for ((what, values) in listOf("scale" to scale, "offset" to offset)) {
            if (values.size != channels) {
                throw ManifestInvalid("InputSpec.$what has ${values.size} values; expected $channels, one a channel")
            }
            requireFinite(values, "InputSpec.$what")
        }
        requireFinite(template, "InputSpec.template")
        requireQuantization("InputSpec", dtype, quantScale, quantZeroPoint)
    }

    /** The tensor's shape: (1, H, W, C) for NHWC, (1, C, H, W) for NCHW. */
    public val shape: List<Int>
        get() = if (layout == Layout.NHWC) listOf(1, height, width, channels) else listOf(1, channels, height, width)

    /** How many values the tensor has. */
    public val elements: Int get() = height * width * channels
}

/**
 * How far a golden output may be missed, in float (dequantized) units: `absolute + relative * max|golden|`.
 *
 * @throws ManifestInvalid a bound is negative.
 */
public data class Tolerance(public val absolute: Double, public val relative: Double) {
    init {
        requireFinite(listOf(absolute, relative), "Tolerance")
        if (absolute < 0 || relative < 0) {
            throw ManifestInvalid("Tolerance is $absolute, $relative; both must be 0 or more")
        }
    }
}

/**
 * One output of the model.
 *
 * @property name of the tensor in the model (of its signature, where it has one).
 * @property meaning what a person needs to know to use it, such as `embedding, not normalised`.
 * @property shape with the batch of 1 in front, such as (1, 256).
 * @property tolerance for golden replay.
 * @property dtype of the tensor in the file.
 * @property quantScale for an integer dtype: a value q stands for `(q - quantZeroPoint) * quantScale`.
 * @property quantZeroPoint for an integer dtype.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class OutputSpec(
    public val name: String,
    public val meaning: String,
    public val shape: List<Int>,
    public val tolerance: Tolerance,
    public val dtype: Dtype = Dtype.FLOAT32,
    public val quantScale: Double? = null,
    public val quantZeroPoint: Int? = null,
) {
    init {
        requireName(name, "OutputSpec.name")
        var elements = 1L
        for (side in shape) elements = if (side < 1 || elements > MAX_ELEMENTS) Long.MAX_VALUE else elements * side
        if (shape.size !in 1..8 || elements > MAX_ELEMENTS) {
            throw ManifestInvalid("OutputSpec.shape is $shape; expected 1 to 8 sizes of at least 1")
        }
        requireQuantization("OutputSpec", dtype, quantScale, quantZeroPoint)
    }

    /** How many values the tensor has. */
    public val elements: Int get() = shape.fold(1) { product, side -> product * side }
}

private const val MAX_SIDE = 8_192
private const val MAX_ELEMENTS = 1L shl 28

internal fun requireName(name: String, where: String) {
    if (name.isBlank()) throw ManifestInvalid("$where is empty; expected a name")
}

internal fun requireFinite(values: List<Double>, where: String) {
    val bad = values.firstOrNull { it.isNaN() || it.isInfinite() } ?: return
    throw ManifestInvalid("$where is $bad; expected a finite number")
}

private fun requireQuantization(where: String, dtype: Dtype, scale: Double?, zeroPoint: Int?) {
    if (dtype == Dtype.FLOAT32) {
        if (scale != null || zeroPoint != null) {
            throw ManifestInvalid("$where is float32 but has quant_scale $scale and quant_zero_point $zeroPoint")
        }
        return
    }
    val valid = scale != null && scale > 0 && !scale.isInfinite() && zeroPoint != null && zeroPoint in dtype.range
    if (!valid) {
        throw ManifestInvalid(
            "$where is ${dtype.key} with quant_scale $scale and quant_zero_point $zeroPoint; expected a scale above " +
                "0 and a zero point of ${dtype.range.first} to ${dtype.range.last}",
        )
    }
}
