package io.handlens.task

import io.handlens.artifact.Colour
import io.handlens.artifact.Compression
import io.handlens.artifact.Fit
import io.handlens.artifact.InputSpec
import io.handlens.artifact.Json
import io.handlens.artifact.JsonObject
import io.handlens.artifact.Layout
import io.handlens.artifact.Manifest
import io.handlens.artifact.ModelKind
import io.handlens.artifact.OutputSpec
import io.handlens.artifact.Provenance
import io.handlens.artifact.Tolerance

/** A float32 input of RGB pixels as they are. */
internal fun input(
    height: Int,
    width: Int,
    fit: Fit = Fit.RESIZE,
    colour: Colour = Colour.RGB,
    layout: Layout = Layout.NHWC,
): InputSpec {
    val channels = if (colour == Colour.GREY) 1 else 3
    return InputSpec(
        name = "image",
        height = height,
        width = width,
        channels = channels,
        scale = List(channels) { 1.0 },
        offset = List(channels) { 0.0 },
        fit = fit,
        colour = colour,
        layout = layout,
        template = if (fit == Fit.ALIGN) List(10) { (it * 7 % 5 * 2 + it).toDouble() } else emptyList(),
    )
}

/** A manifest with no more in it than a task reads. */
internal fun described(
    task: String,
    input: InputSpec,
    outputs: Map<String, List<Int>>,
    decoding: String = "{}",
    labels: List<String> = emptyList(),
): Manifest = Manifest(
    task = task,
    name = "drawn",
    version = "1",
    input = input,
    outputs = outputs.map { (name, shape) -> OutputSpec(name, "-", shape, Tolerance(0.1, 0.0)) },
    compression = Compression("none", ModelKind.TFLITE, "float32", "float32", 0, 0.0),
    provenance = Provenance(emptyList(), "none", 0, "none", trainedSeconds = 0.0),
    labels = labels,
    decoding = Json.parse(decoding, "the decoding") as JsonObject,
)
