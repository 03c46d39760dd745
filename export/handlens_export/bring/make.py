"""From a float file and a recipe to a candidate: what `candidate.make` does for a network."""

import weakref
from dataclasses import dataclass, replace

import numpy as np

from handlens.errors import DataError, EngineWrong, GoldenInvalid
from handlens.image import to_tensor
from handlens.manifest import InputSpec
from handlens_data.calibration.table import RangeTable
from handlens_export import candidate, mixed, ranges, tflite_file
from handlens_export.bring import plain, roles
from handlens_export.bring.agreement import agreement, answers
from handlens_export.bring.floats import FloatFile
from handlens_export.bring.onnx_lane import OnnxLane
from handlens_export.bring.tflite_lane import TfliteLane, Widths, weights_only
from handlens_export.compact import compact
from handlens_export.graph import Graph
from handlens_export.harm.lane import Lane
from handlens_export.harm.study import IMAGES
from handlens_export.prepare import Prepared, Workshop
from handlens_export.recipes import Format, Recipe

_LANES: weakref.WeakKeyDictionary[Workshop, Lane] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class FileGraph(Graph):
    """A network of which only the file is known."""

    count: int = 0

    def parameters(self) -> int:
        """The count of all weights."""
        return self.count


def make(shop: Workshop, recipe: Recipe, kind: Format, budget: candidate.Budget | None = None) -> candidate.Candidate:
    """Quantizes a float file as a recipe says, and checks it.

    Args:
        shop: whose source's model is a `FloatFile`.
        recipe: one of the file's.
        kind: of the file.
        budget: for a recipe that searches.

    Raises:
        EngineWrong: the quantizer has no form for some operators, which are named.
    """
    file: FloatFile = shop.source.model
    prepared = Prepared(FileGraph({}, (), {}, parameters(file)), {}, None, "")
    if recipe.arithmetic == "float32":
        return candidate.finish(shop, recipe, kind, prepared, file.model)
    if recipe.arithmetic == "float16" or recipe.arithmetic == "dynamic":
        return _finished(shop, recipe, prepared, weights_only(plain.plain(file.model), recipe.arithmetic))
    if recipe.arithmetic == "mixed":
        return mixed.make(shop, recipe, kind, budget)
    found = lane(shop)
    return _finished(shop, recipe, _calibrated(shop, recipe, prepared, found), integers(recipe, found))


def opened(shop: Workshop, recipe: Recipe) -> mixed.Opened:
    """The file as a lane, for what gives its operators back to float."""
    found, spec = lane(shop), shop.source.input
    prepared = Prepared(FileGraph({}, (), {}, parameters(shop.source.model)), {}, None, "")
    prepared = _calibrated(shop, recipe, prepared, found)
    return mixed.Opened(
        found, tensors(shop.calibration[0][:IMAGES], spec), lambda model: _finished(shop, recipe, prepared, model)
    )


def integers(recipe: Recipe, found: Lane) -> bytes:
    """The file with integers throughout.

    Raises:
        EngineWrong: operators are left in float, because the quantizer has no integer form for them.
    """
    if isinstance(found, OnnxLane):
        model = found.model(found.ends)
        left = [f"{unit.kind} {unit.name}" for unit in found.units if unit.name in found.left and unit.parameters]
        if left:
            raise _no_form(recipe, left)
        return model
    assert isinstance(found, TfliteLane)
    widths: dict[str, Widths] = {"int16": "int16", "int4": "int4"}
    model = found.written((), widths.get(recipe.arithmetic, "int8"))
    # Rounding stands at the border of int16, which is float32 on purpose, and before and behind what is in float.
    floats = [name for name in tflite_file.float_operators(model) if not name.startswith(("QUANTIZE ", "DEQUANTIZE "))]
    if floats:
        raise _no_form(recipe, floats)
    return compact(model)


def _no_form(recipe: Recipe, operators: list[str]) -> EngineWrong:
    named = ", ".join(operators[:5]) + (f" and {len(operators) - 5} more" if len(operators) > 5 else "")
    return EngineWrong(
        f"recipe {recipe.name}: the quantizer has no {recipe.arithmetic} form for {named}, which would stay in float. "
        "Use float16, dynamic or mixed, or build the model of other operators"
    )


def lane(shop: Workshop) -> Lane:
    """The file with any of its operators in int8; its ranges are measured once for all recipes."""
    kept = _LANES.get(shop)
    if kept is None:
        file, spec = shop.source.model, shop.source.input
        images = shop.calibration[0]
        batch = tensors(images, spec)
        engine = file.open()
        bounds = roles.output_ranges(engine, spec, images, shop.matching)
        engine.close()
        if file.kind == "onnx":
            kept = OnnxLane(file.model, batch, bounds)
        else:
            table = shop.options.ranges
            if table is not None and table.model != shop.source.name:
                raise DataError(
                    f"the table of ranges is of {table.model}, another network than {shop.source.name}. "
                    "Calibrate anew without --ranges"
                )
            model = plain.plain(file.model)
            given = None if table is None else dict(table.ranges)
            kept = TfliteLane(model, batch, ranges.pixel_ends(spec), given, bounds)
        _LANES[shop] = kept
    return kept


def tensors(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """(N, ...) float32, in the layout of the model, of prepared uint8 images (N, H, W, C)."""
    return np.concatenate([to_tensor(image, spec) for image in images]).astype(np.float32)


def parameters(file: FloatFile) -> int:
    """The count of a file's float weights."""
    if file.kind == "tflite":
        stored = {t.name: t.data for op in tflite_file.operators(file.model) for t in op.inputs if t.data is not None}
        return sum(data.size for data in stored.values() if data.dtype.kind == "f")
    import onnx

    graph = onnx.load_model_from_string(file.model).graph
    return sum(int(np.prod(t.dims)) for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT)


def _calibrated(shop: Workshop, recipe: Recipe, prepared: Prepared, found: Lane) -> Prepared:
    """With the record of what ranges were measured on; the table is kept beside."""
    measured = found.measured if isinstance(found, TfliteLane) else dict(found.ranges)
    record = shop.calibration_record(measured)
    if isinstance(found, TfliteLane) and shop.options.ranges is None:
        facts = {key: getattr(record, key) for key in ("dataset", "split", "count", "seed", "images_sha256")}
        path = shop.kept.folder / f"{shop.source.name}-{recipe.name}.ranges.json"
        RangeTable(model=shop.source.name, ranges=measured, **facts).save(path)
    return replace(prepared, calibration=record)


def _finished(shop: Workshop, recipe: Recipe, prepared: Prepared, model: bytes) -> candidate.Candidate:
    """Checked, with a note of how far its outputs are from the float file's."""
    file: FloatFile = shop.source.model
    try:
        made = candidate.finish(shop, recipe, file.kind, prepared, model)
    except GoldenInvalid as error:
        raise GoldenInvalid(
            f"{str(error).split(';')[0]}; in {recipe.arithmetic} two right sets of kernels answer that far apart, so "
            "no golden could tell a wrong engine: this network makes too much of rounding. Take dynamic, int16 or mixed"
        ) from error
    images = shop.calibration[0][: candidate.CHECKED]
    floats, small = file.open(), candidate.open_quietly(model, file.kind)
    try:
        close = agreement(
            answers(small, made.manifest.input, images), answers(floats, shop.source.input, images), shop.matching
        )
    finally:
        floats.close()
        small.close()
    note = f"cosine of its outputs with the float file's {float(np.mean(close)):.5f} on {len(images)} images"
    notes = "; ".join(part for part in (made.manifest.compression.notes, note) if part)
    compression = replace(made.manifest.compression, notes=notes)
    return replace(made, manifest=replace(made.manifest, compression=compression))
