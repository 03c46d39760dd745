package io.handlens.image

import io.handlens.artifact.Colour
import io.handlens.artifact.Dtype
import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.JsonValue
import io.handlens.artifact.Layout
import io.handlens.double
import io.handlens.doubles
import io.handlens.get
import io.handlens.int
import io.handlens.text

/** An input with some fields of a golden row, the others of no effect. */
internal fun specOf(fields: JsonValue): InputSpec {
    val colour = fields["colour"]?.text?.let(Colour::valueOf) ?: Colour.RGB
    val channels = if (colour == Colour.GREY) 1 else 3
    return InputSpec(
        name = "image",
        height = fields["height"]?.int ?: 1,
        width = fields["width"]?.int ?: 1,
        channels = channels,
        scale = fields["scale"]?.doubles?.asList() ?: List(channels) { 1.0 },
        offset = fields["offset"]?.doubles?.asList() ?: List(channels) { 0.0 },
        dtype = fields["dtype"]?.text?.let { Dtype.valueOf(it.uppercase()) } ?: Dtype.FLOAT32,
        layout = fields["layout"]?.text?.let(Layout::valueOf) ?: Layout.NHWC,
        colour = colour,
        fit = fields["geometry"]?.text?.let { Fit.valueOf(it.uppercase()) } ?: Fit.RESIZE,
        quantScale = fields["quant_scale"]?.double,
        quantZeroPoint = fields["quant_zero_point"]?.int,
    )
}
