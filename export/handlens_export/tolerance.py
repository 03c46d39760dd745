"""How far right engines may be apart: measured, for each output, between two independent sets of kernels.

Integer kernels round differently, and forty layers and a BNNeck make several steps of it; a fixed number of steps
would either refuse right engines or pass wrong ones. So the golden tolerance is twice what LiteRT's XNNPACK and
reference kernels, or ONNX Runtime's integer kernels and the same graph computed in float, differ by on golden patterns.
Where that is so much that the artifact's own goldens would tell too little (a detector's empty cells, thousands of
them, differ most), it is less, but never less than twice the difference on those goldens.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from handlens._sample import sample
from handlens.golden import GENERATORS, Golden, generate
from handlens.image import to_tensor
from handlens.manifest import InputSpec, OutputSpec, Tolerance
from handlens_export.recipes import Format

SEEDS = (1, 2)
MARGIN = 2.0
_TOLD_APART = 6.0  # tolerances that outputs should vary by over the goldens; an artifact is refused below 4
_STEPS = 4.0  # of quantization, at least
# Of the largest output, at least.
_RELATIVE = {
    "float32": 1e-3,
    "float16": 5e-3,
    "dynamic": 2e-2,
    "int8": 0.0,
    "int16": 5e-3,
    "int4": 0.0,
    "int4in8": 0.0,
    "mixed": 2e-2,
}

Answers = dict[str, np.ndarray]


class Kernels:
    """Two independent sets of kernels with the same model, and how far apart they are; every pattern is run once.

    Only what goldens hold is compared: of a large output that is a sample.
    """

    def __init__(self, model: bytes, kind: Format, spec: InputSpec) -> None:
        """Opens a model twice.

        Args:
            model: the file.
            kind: its format.
            spec: of the model's input, as the manifest has it.
        """
        make = _litert if kind == "tflite" else _ort
        self._run, self._again = make(model, False), make(model, True)
        self._spec = spec
        self._apart: dict[tuple[str, int], dict[str, float]] = {}

    def apart(self, generator: str, seed: int) -> dict[str, float]:
        """The largest difference on a pattern by output, in the unit of the file (steps, for an integer output)."""
        if (generator, seed) not in self._apart:
            spec = self._spec
            tensor = to_tensor(generate(generator, seed, spec.height, spec.width, spec.channels), spec)
            first, second = self._run(spec.name, tensor), self._again(spec.name, tensor)
            pairs = {name: [sample(found[name].astype(np.float32)) for found in (first, second)] for name in first}
            self._apart[generator, seed] = {name: float(np.abs(a - b).max()) for name, (a, b) in pairs.items()}
        return self._apart[generator, seed]


def measured(
    kernels: Kernels,
    arithmetic: str,
    outputs: Mapping[str, OutputSpec],
    steps: Mapping[str, float],
    goldens: Sequence[Golden],
) -> dict[str, Tolerance]:
    """The tolerance of each output of a model.

    Args:
        kernels: with the model.
        arithmetic: of the recipe.
        outputs: of the model, as the manifest has them.
        steps: the quantization step of each output that has one, in float units.
        goldens: of the artifact.
    """
    carried = {(golden.generator, golden.seed) for golden in goldens}
    patterns = {(generator, seed) for generator in GENERATORS for seed in SEEDS}
    found = {}
    for name, output in outputs.items():
        unit = output.quant_scale or 1.0
        anywhere = unit * max(kernels.apart(*pattern)[name] for pattern in patterns | carried)
        there = unit * max((kernels.apart(*pattern)[name] for pattern in carried), default=0.0)
        spread = float(np.ptp(np.stack([golden.outputs[name] for golden in goldens]), axis=0).max())
        room = max(MARGIN * there, min(MARGIN * anywhere, spread / _TOLD_APART))
        found[name] = Tolerance(absolute=max(1e-6, _STEPS * steps.get(name, 0.0), room), relative=_RELATIVE[arithmetic])
    return found


def steady(kernels: Kernels) -> tuple[str, ...]:
    """The patterns whose answers two sets of kernels agree on best: good goldens for a network of many cells.

    A detector answers for thousands of cells, and on some patterns a few empty ones hang by a thread: two right
    engines then differ there by as much as answers do. Patterns on which they differ by more than twice the median are
    left out.
    """
    rows = {g: [kernels.apart(g, seed) for seed in SEEDS] for g in GENERATORS}
    apart = {g: {name: max(row[name] for row in found) for name in found[0]} for g, found in rows.items()}
    limits = {name: 2.0 * float(np.median([row[name] for row in apart.values()])) for name in apart[GENERATORS[0]]}
    return tuple(g for g in GENERATORS if all(apart[g][name] <= limit for name, limit in limits.items()))


def _litert(model: bytes, reference: bool) -> Callable[[str, np.ndarray], Answers]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    if interpreter.get_signature_list():
        runner = interpreter.get_signature_runner()
        return lambda name, tensor: dict(runner(**{name: tensor}))
    interpreter.allocate_tensors()
    feed, ends = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()

    def run(_: str, tensor: np.ndarray) -> Answers:
        interpreter.set_tensor(feed, tensor)
        interpreter.invoke()
        return {end["name"]: interpreter.get_tensor(end["index"]) for end in ends}

    return run


def _ort(model: bytes, reference: bool) -> Callable[[str, np.ndarray], Answers]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    if reference:  # Unfused, a QDQ graph is computed in float between its rounding operators.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda name, tensor: dict(zip(names, session.run(names, {name: tensor}), strict=True))
