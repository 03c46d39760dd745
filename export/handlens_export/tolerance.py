"""How far right engines may be apart: measured, for each output, between two independent sets of kernels.

Integer kernels round differently, and forty layers and a BNNeck make several steps of it; a fixed number of steps
would either refuse right engines or pass wrong ones. So the golden tolerance is twice what LiteRT's XNNPACK and
reference kernels, or ONNX Runtime's integer kernels and the same graph computed in float, differ by on golden patterns;
a little less than twice where the outputs vary too little between patterns for that.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from handlens._sample import sample
from handlens.golden import GENERATORS, generate
from handlens.image import to_tensor
from handlens.manifest import InputSpec, OutputSpec, Tolerance
from handlens_export.recipes import Format

SEEDS = (1, 2)
MARGIN = 2.0
LEAST_MARGIN = 1.25
_TOLD_APART = 6.0  # tolerances that outputs vary by over the patterns; an artifact needs 4 over its goldens
_STEPS = 4.0  # of quantization, at least
_RELATIVE = {"float32": 1e-3, "float16": 5e-3, "dynamic": 2e-2, "int8": 0.0}  # of the largest output, at least

Answers = dict[str, np.ndarray]


def measured(
    model: bytes,
    kind: Format,
    arithmetic: str,
    spec: InputSpec,
    outputs: Mapping[str, OutputSpec],
    steps: Mapping[str, float],
) -> dict[str, Tolerance]:
    """The tolerance of each output of a model.

    Args:
        model: the file.
        kind: its format.
        arithmetic: of the recipe.
        spec: of the model's input, as the manifest has it.
        outputs: of the model, as the manifest has them.
        steps: the quantization step of each output that has one, in float units.
    """
    run, again = (
        _litert(model, reference) if kind == "tflite" else _ort(model, reference) for reference in (False, True)
    )
    apart = dict.fromkeys(outputs, 0.0)
    seen: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for generator in GENERATORS:
        for seed in SEEDS:
            tensor = to_tensor(generate(generator, seed, spec.height, spec.width, spec.channels), spec)
            first, second = run(spec.name, tensor), again(spec.name, tensor)
            for name, output in outputs.items():
                # Of a large output goldens hold a sample, and only what they hold is compared.
                one, other = (
                    sample(answers[name].astype(np.float32)) * (output.quant_scale or 1.0)
                    for answers in (first, second)
                )
                apart[name] = max(apart[name], float(np.abs(one - other).max()))
                seen[name].append(one)
    return {
        name: Tolerance(
            absolute=max(1e-6, _STEPS * steps.get(name, 0.0), _margin(apart[name], seen[name]) * apart[name]),
            relative=_RELATIVE[arithmetic],
        )
        for name in outputs
    }


def _margin(apart: float, values: Sequence[np.ndarray]) -> float:
    """How many times as far apart as these two other engines may be: less where goldens would then tell too little."""
    spread = float(np.ptp(np.stack(values), axis=0).max())
    return float(np.clip(spread / (_TOLD_APART * max(apart, 1e-9)), LEAST_MARGIN, MARGIN))


def _litert(model: bytes, reference: bool) -> Callable[[str, np.ndarray], Answers]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    runner = interpreter.get_signature_runner()
    return lambda name, tensor: dict(runner(**{name: tensor}))


def _ort(model: bytes, reference: bool) -> Callable[[str, np.ndarray], Answers]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    if reference:  # Unfused, a QDQ graph is computed in float between its rounding operators.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda name, tensor: dict(zip(names, session.run(names, {name: tensor}), strict=True))
