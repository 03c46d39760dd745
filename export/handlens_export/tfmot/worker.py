"""The process in which tensorflow-model-optimization runs: `python -m handlens_export.tfmot.worker FOLDER`.

Importing tfmot turns the whole process to Keras 2 (`TF_USE_LEGACY_KERAS`), so nothing else is done here. FOLDER holds
an order; the model and what is to be said of it are written there. It ends when its standard input does: nobody is
left to read the result then.
"""

import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from handlens_export.tfmot.order import Order
    from handlens_export.tfmot.tune import Tuner

REFUSAL = 3  # the exit code when a layer is refused
SIGNATURE = "serve"
CHECKED = 16  # images that the file is compared with its simulation on
_REBUILT = 1e-3  # of an output's largest value: how far the rebuilt network may be from the one it was made from


def main(folder: Path) -> int:
    """Carries out the order of a folder; the exit code."""
    from handlens_export.tfmot.order import MODEL, REFUSED, RESULT, SIMULATED, Order
    from handlens_export.tfmot.rebuild import Unsupported

    order = Order.load(folder)
    try:
        model, simulated, result = _made(order, folder)
    except Unsupported as error:
        facts = {"layer": error.name, "kind": error.kind, "words": error.words}
        (folder / REFUSED).write_text(json.dumps(facts), encoding="utf-8")
        return REFUSAL
    (folder / MODEL).write_bytes(model)
    np.savez(folder / SIMULATED, **simulated)
    (folder / RESULT).write_text(json.dumps(asdict(result)), encoding="utf-8")
    return 0


def _made(order: "Order", folder: Path) -> Any:
    import tensorflow as tf

    from handlens_export.tfmot import order as orders
    from handlens_export.tfmot import rebuild, stages
    from handlens_export.tfmot.tune import Tuner, chunks

    arrays = dict(np.load(folder / orders.ARRAYS))
    calibration = orders.images(folder, "calibration")
    parent = rebuild.network(order, arrays, name="parent")
    network = rebuild.network(order, arrays, name="network")
    stages.check(network, order)
    tuner = Tuner(order, parent, orders.images(folder, "training"), orders.images(folder, "held_out"))
    _same(order, tuner, parent, calibration, dict(np.load(folder / orders.PARENT)))
    seconds, notes = {}, []

    def timed(stage: str, began: float) -> None:
        seconds[stage] = round(time.monotonic() - began, 1)

    if order.sparsity:
        began = time.monotonic()
        pruning = stages.Pruning(network, order.sparsity, order.pruning.steps)
        if order.pruning.steps:
            tuner.tune(pruning.model, order.pruning, "tfmot: pruning", on_pace=pruning.tighten)
        network = pruning.finished(next(chunks(tuner.images[:1], tuner.spec)))
        timed("pruning", began)
        notes.append(f"{order.sparsity:.0%} of each kernel pruned")
    if order.clusters:
        began = time.monotonic()
        wrapped = stages.clustered(network, order.clusters, keep_zeros=order.sparsity > 0)
        if order.clustering.steps:
            tuner.tune(wrapped, order.clustering, "tfmot: clustering")
        network = stages.stripped(wrapped)
        timed("clustering", began)
        notes.append(f"{order.clusters} values a kernel")
    began = time.monotonic()
    network, ranges, note = _quantized(order, tuner, network, parent, calibration)
    timed("quantization", began)
    checked = np.asarray(calibration[:CHECKED])
    simulated = tuner.answers(network, checked)
    began = time.monotonic()
    model = _converted(tf, network, order)
    timed("conversion", began)
    return model, simulated, orders.Result(ranges=ranges, note="; ".join([*notes, note]), seconds=seconds)


def _same(order: "Order", tuner: "Tuner", parent: Any, calibration: np.ndarray, wanted: dict[str, np.ndarray]) -> None:
    """Refuses a network that computes something else here: a layer of the same name may not be the same."""
    from handlens_export.tfmot.rebuild import Unsupported

    for name, got in tuner.answers(parent, np.asarray(calibration[:CHECKED])).items():
        largest = float(np.abs(wanted[name]).max())
        error = float(np.abs(got - wanted[name]).max())
        if not error <= _REBUILT * max(largest, 1.0):
            words = f"rebuilt in tf_keras, output {name} is {error:.3g} off, of {largest:.3g}"
            raise Unsupported("the network", "as a whole", words)


def _quantized(
    order: "Order", tuner: "Tuner", network: Any, parent: Any, calibration: np.ndarray
) -> tuple[Any, dict[str, tuple[float, float]], str]:
    """QAT from calibrated ranges, at its best moment."""
    from handlens_export.tfmot import stages

    student = stages.quantized(network, order)
    quantizers = stages.Quantizers(student)
    # handlens's ranges where both have a range; else what the calibration images give.
    ranges = stages.measured(parent, quantizers.ends, tuner, calibration) | order.ranges
    quantizers.assign(ranges, quantizers.ends)

    def pin() -> None:
        quantizers.assign(order.ranges, order.pinned)

    tuner.settle(student)
    stages.floor_scales(student)
    quantizers.assign(ranges, quantizers.ends)
    first = best = tuner.distance(student)
    kept = [variable.numpy() for variable in student.variables]

    def look() -> None:
        nonlocal best, kept
        tuner.settle(student)
        stages.floor_scales(student)
        pin()
        reached = tuner.distance(student)
        if reached < best:
            best, kept = reached, [variable.numpy() for variable in student.variables]

    if order.quantizing.steps:
        tuner.tune(student, order.quantizing, "tfmot: quantization-aware training", after=pin, on_round=look)
    for variable, value in zip(student.variables, kept, strict=True):
        variable.assign(value)
    note = f"distance to the float parent on held-out training images {first:.5f} before, {best:.5f} after"
    return student, quantizers.ranges(), note


def _converted(tf: Any, network: Any, order: "Order") -> bytes:
    """The int8 file: a batch of 1, and real names, as `convert.to_tflite` has it."""
    from handlens_export.compact import compact

    (tensor,) = network.inputs
    name = next(iter(order.inputs.values()))[0]

    def serve(image: Any) -> dict[str, Any]:
        outputs = network(image, training=False)
        return dict(zip(order.outputs, outputs if isinstance(outputs, list) else [outputs], strict=True))

    module = tf.Module()
    module.network = network
    signature = tf.TensorSpec((1, *tensor.shape[1:]), tf.float32, name=name)
    with tempfile.TemporaryDirectory() as folder:
        function = tf.function(serve).get_concrete_function(signature)
        tf.saved_model.save(module, folder, signatures={SIGNATURE: function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return compact(converter.convert())


def _follow_stdin() -> None:
    """Ends this process when the one that ordered is gone."""
    while os.read(0, 1024):  # not sys.stdin, whose lock a thread would hold at the end
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_follow_stdin, daemon=True).start()
    sys.exit(main(Path(sys.argv[1])))
