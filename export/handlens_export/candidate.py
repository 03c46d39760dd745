"""From a prepared network to the bytes of a model and everything its manifest says, before it is measured."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from handlens._sample import sample_step
from handlens.artifact import write_artifact
from handlens.engine import Engine, TensorInfo, open_model
from handlens.errors import EngineWrong, GoldenInvalid
from handlens.golden import GENERATORS, Golden, check_goldens, record_goldens
from handlens.manifest import Calibration, Compression, InputSpec, Manifest, OutputSpec, Parity
from handlens_export import arithmetic, onnx, parity, quiet, ranges, tflite_file, tolerance
from handlens_export.prepare import Prepared, Workshop
from handlens_export.recipes import Format, Recipe
from handlens_train.evaluation import Evaluation

CHECKED = 16  # images for parity
LEAST_PATTERNS = 3  # that goldens are drawn from
SEEDS, MORE_SEEDS = range(1, 5), range(1, 25)  # of each
# How far from its simulation an int8 file may be: the mean cosine of the outputs.
_SIMULATED = 0.98


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model in a format, its manifest without metrics, its goldens from the engine it is meant for, and extras."""

    model: bytes
    kind: Format
    manifest: Manifest
    goldens: tuple[Golden, ...]
    extras: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a recipe that searches may spend, and how to measure a try.

    Attributes:
        max_drop: points (hundredths) of the primary metric that the artifact may lose.
        reference: the evaluation of the float32 artifact of the same format.
        evaluate: writes a candidate to a scratch file and evaluates it on the same items.
    """

    max_drop: float
    reference: Evaluation
    evaluate: Callable[[Candidate], Evaluation]


# Recipes that are made otherwise, by engine or arithmetic: a module with `make(shop, recipe, kind, budget)`.
_MAKERS = {"tfmot": "handlens_export.tfmot", "mixed": "handlens_export.mixed"}


def make(shop: Workshop, recipe: Recipe, kind: Format, budget: Budget | None = None) -> Candidate:
    """Converts and checks a recipe's network.

    Args:
        shop: of the run.
        recipe: to make.
        kind: the format.
        budget: for a recipe that searches; without one it takes the harm that it can estimate.

    Raises:
        EngineWrong: the file disagrees with the Keras model, or is not what the recipe says (floats left in it, fewer
            zeros than asked for).
    """
    maker = getattr(shop.source.model, "maker", None)  # of a model that is no Keras network
    maker = maker or _MAKERS.get(recipe.engine) or _MAKERS.get(recipe.arithmetic)
    if maker is not None:
        made: Candidate = importlib.import_module(maker).make(shop, recipe, kind, budget)
        return made
    prepared = shop.prepare(recipe)
    write = arithmetic.to_tflite if kind == "tflite" else arithmetic.to_onnx
    return finish(shop, recipe, kind, prepared, write(shop, recipe, prepared), arithmetic.simulation(recipe, prepared))


def finish(
    shop: Workshop, recipe: Recipe, kind: Format, prepared: Prepared, model: bytes, simulation: Any = None
) -> Candidate:
    """Checks the bytes of a model, and finds its goldens, tolerances and manifest.

    Args:
        shop: of the run.
        recipe: that made it.
        kind: its format.
        prepared: what it was made from: weights that the manifest counts, calibration, and notes.
        model: the bytes.
        simulation: a Keras model that the file must answer as, if there is one.

    Raises:
        EngineWrong: the file does not answer as its simulation, or has fewer zeros than asked for.
    """
    engine = open_quietly(model, kind)
    try:
        note = prepared.note
        measured = _parity(shop, recipe, engine)
        if simulation is not None:
            note = "; ".join(part for part in (note, _against(simulation, recipe, shop, engine)) if part)
        kernels = tolerance.Kernels(model, kind, _input(shop.source.input, engine.inputs[0]))
        goldens, manifest = _told_apart(
            _goldens(shop, recipe, kernels, engine),
            lambda goldens: _manifest(shop, recipe, kind, prepared, engine, model, kernels, goldens),
        )
    finally:
        engine.close()
    manifest = replace(manifest, parity=measured, compression=replace(manifest.compression, notes=note))
    return Candidate(model, kind, manifest, goldens, shop.source.extras)


def _told_apart(
    tries: Iterable[tuple[Golden, ...]], describe: Callable[[tuple[Golden, ...]], Manifest]
) -> tuple[tuple[Golden, ...], Manifest]:
    """The first goldens whose outputs vary well beyond the tolerances, and the manifest with these.

    Raises:
        GoldenInvalid: none do.
    """
    refused: GoldenInvalid | None = None
    for goldens in tries:
        manifest = describe(goldens)
        try:
            check_goldens(goldens, manifest)
        except GoldenInvalid as error:
            refused = refused or error
        else:
            return goldens, manifest
    raise refused or GoldenInvalid("no drawn pattern moves every output; is the model trained?")


def _goldens(
    shop: Workshop, recipe: Recipe, kernels: tolerance.Kernels, engine: Engine
) -> Iterator[tuple[Golden, ...]]:
    """Goldens of the patterns that tell most; where int8 outputs are large, of those that right engines agree on.

    Where no four of these move every output (a head that saturates on drawn pictures), others are tried; then those of
    one seed alone, for one picture on which right engines differ makes the tolerance of all.
    """
    tries = [(GENERATORS, SEEDS), (GENERATORS, MORE_SEEDS)]
    if recipe.quantized and any(sample_step(output.shape) > 1 for output in shop.source.outputs):
        chosen = tolerance.steady(kernels)
        if len(chosen) >= LEAST_PATTERNS:
            tries.insert(0, (chosen, SEEDS))
        tries += [(GENERATORS, range(seed, seed + 1)) for seed in MORE_SEEDS]
    image = _input(shop.source.input, engine.inputs[0])
    for generators, seeds in tries:
        with suppress(GoldenInvalid):
            yield record_goldens(engine, image, generators=generators, seeds=seeds)


def write(candidate: Candidate, path: str) -> None:
    """Writes the artifact."""
    write_artifact(path, candidate.model, candidate.kind, candidate.manifest, candidate.goldens, candidate.extras)


def open_quietly(model: bytes, kind: Format) -> Engine:
    """A raw model on the default engine of its kind."""
    with quiet.stderr_silenced():  # LiteRT announces its delegate there.
        return open_model(model, kind)


def _parity(shop: Workshop, recipe: Recipe, engine: Engine) -> Parity | None:
    if recipe.arithmetic != "float32" or recipe.remade or hasattr(shop.source.model, "maker"):
        return None  # it is no conversion of the run's network
    return parity.measure(engine, shop.source.model, shop.calibration_batch[:CHECKED])


def _against(simulation: Any, recipe: Recipe, shop: Workshop, engine: Engine) -> str:
    """How far the file's outputs are from those of the network with quantization simulated in Keras."""
    batch = shop.calibration_batch[:CHECKED]
    simulated = parity.expected(simulation, batch)
    (name,) = (tensor.name for tensor in engine.inputs)
    answers = [engine.run({name: image[None]}) for image in batch]
    cosines = {}
    for output, wanted in simulated.items():
        got = np.concatenate([answer[output] for answer in answers])
        cosines[output] = _cosine(got, wanted)
        if not cosines[output] >= _SIMULATED:
            raise EngineWrong(
                f"output {output} of the {recipe.arithmetic} model has cosine {cosines[output]:.4f} with its "
                f"simulation in Keras; expected at least {_SIMULATED}: the conversion or the engine went wrong"
            )
    if len(cosines) == 1:
        return f"cosine of its outputs with the simulation in Keras {min(cosines.values()):.5f}"
    each = ", ".join(f"{output} {cosine:.5f}" for output, cosine in cosines.items())
    return f"cosine of its outputs with the simulation in Keras: {each}"


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over images. Outputs of many cells or pixels less their mean: a constant would hide everything else."""
    a, b = (x.astype(np.float64) for x in (a, b))
    if b.ndim > 2:
        centre = b.mean(axis=tuple(range(b.ndim - 1)))
        a, b = a - centre, b - centre
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(axis=1) / np.maximum(norms, 1e-12)))


def _manifest(
    shop: Workshop,
    recipe: Recipe,
    kind: Format,
    prepared: Prepared,
    engine: Engine,
    model: bytes,
    kernels: tolerance.Kernels,
    goldens: Sequence[Golden],
) -> Manifest:
    source = shop.source
    (tensor,) = engine.inputs
    found = {info.name: info for info in engine.outputs}
    image = _input(source.input, tensor)
    outputs = {spec.name: _output(spec, found[spec.name]) for spec in source.outputs}
    steps = onnx.output_scales(model) if kind == "onnx" else {}
    steps |= {name: output.quant_scale for name, output in outputs.items() if output.quant_scale}
    tolerances = tolerance.measured(kernels, recipe.arithmetic, outputs, steps, goldens)
    return Manifest(
        task=source.task,
        name=source.name,
        version=source.version,
        input=image,
        outputs=tuple(replace(output, tolerance=tolerances[name]) for name, output in outputs.items()),
        labels=source.labels,
        decoding=source.decoding,
        compression=Compression(
            recipe=recipe.name,
            format=kind,
            weights=recipe.weights,
            activations=recipe.activations,
            parameters=prepared.graph.parameters(),
            sparsity=_sparsity(recipe, kind, model),
            calibration=_calibration(prepared.calibration, recipe, kind, model),
        ),
        provenance=source.provenance,
    )


def _calibration(record: Calibration | None, recipe: Recipe, kind: Format, model: bytes) -> Calibration | None:
    """The record of a file; ONNX Runtime and the int16 converter measure ranges of their own on the same images."""
    if record is None or (kind == "tflite" and recipe.arithmetic != "int16"):
        return record
    found = onnx.activation_ranges(model) if kind == "onnx" else tflite_file.activation_ranges(model)
    return replace(record, ranges_sha256=ranges.ranges_sha256(found))


def _sparsity(recipe: Recipe, kind: Format, model: bytes) -> float:
    zeros = tflite_file.sparsity(model) if kind == "tflite" else onnx.sparsity(model)
    if zeros < recipe.sparsity:
        raise EngineWrong(
            f"recipe {recipe.name}: {zeros:.4f} of the prunable weights in the file are zero; "
            f"asked for {recipe.sparsity}"
        )
    return zeros


def _input(spec: InputSpec, tensor: TensorInfo) -> InputSpec:
    return replace(
        spec,
        name=tensor.name,
        dtype=tensor.dtype,
        quant_scale=tensor.quant_scale,
        quant_zero_point=tensor.quant_zero_point,
    )


def _output(spec: OutputSpec, tensor: TensorInfo) -> OutputSpec:
    return replace(
        spec,
        shape=tensor.shape,
        dtype=tensor.dtype,
        quant_scale=tensor.quant_scale,
        quant_zero_point=tensor.quant_zero_point,
    )
