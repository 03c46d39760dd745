"""How a network becomes a file of each arithmetic, and what the file must answer as."""

from typing import Any

from handlens.errors import EngineWrong
from handlens_export import compressed, convert, graph, int4, onnx, ranges, tflite_file
from handlens_export.prepare import Prepared, Workshop
from handlens_export.recipes import Recipe


def to_tflite(shop: Workshop, recipe: Recipe, prepared: Prepared) -> bytes:
    """The bytes of a `.tflite`.

    Raises:
        EngineWrong: the converter left floats in what should be integer throughout.
        OptionError: the converter has no form of an operator in this arithmetic.
    """
    if not recipe.quantized:
        network = graph.build(prepared.graph) if recipe.remade else shop.source.model
        return convert.to_tflite(network, recipe.arithmetic)
    if recipe.arithmetic == "int16":
        return convert.to_tflite(graph.build(prepared.graph), "int16", shop.calibration_batch)
    network = int4.on_grid(prepared.graph) if recipe.four_bits else prepared.graph
    model = convert.to_tflite(graph.build(ranges.with_fake_quant(network, prepared.ranges)), "fake-quantized")
    if recipe.arithmetic == "int4":
        model = int4.packed(model, len(int4.levels(network)))
    floats = tflite_file.float_operators(model)
    if floats:
        raise EngineWrong(
            f"recipe {recipe.name}: the converter left float operators in the file: {', '.join(floats[:5])}; "
            "use float16 or dynamic for this network, or give its layers an int8 form in ranges.py"
        )
    return model


def to_onnx(shop: Workshop, recipe: Recipe, prepared: Prepared) -> bytes:
    """The bytes of a `.onnx`."""
    model = onnx.to_onnx(graph.build(prepared.graph))
    if not recipe.quantized:
        return model
    places = ranges.output_places(prepared.graph)
    return onnx.quantize(
        model, shop.calibration_batch, {output: prepared.ranges[name] for output, name in places.items()}
    )


def simulation(recipe: Recipe, prepared: Prepared) -> Any:
    """A Keras model with the file's quantization simulated; None for an arithmetic that has none."""
    if not recipe.quantized:
        return None
    network = prepared.graph
    if recipe.arithmetic != "int16":  # whose steps are too fine to tell
        network = ranges.with_fake_quant(network, prepared.ranges)
    return compressed.trainable(network, {}, compressed.kernel_levels(network, recipe.arithmetic), name="simulated")
