"""In the worker: a network of handlens as a tf_keras model, which is what tfmot takes.

Two calls are written otherwise than on the other side, so that tfmot knows them: relu6 as a ReLU layer, which it fuses,
and a depthwise convolution as one with its largest weight a channel at 1, followed by a frozen batch normalisation that
scales the channel back. tfmot has one scale for a whole depthwise kernel; batch normalisation folded in, its channels
differ a hundredfold, and the small ones would be gone.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import tf_keras

from handlens_export.tfmot.order import Order, read, weights_of

NORMAL = "_scale"  # what the name of that batch normalisation ends in
_EPSILON = 1e-3
_OTHER_NAMES = {"silu": "swish"}


class Unsupported(Exception):
    """A layer that cannot be had: its name, its kind, and the words that say so."""

    def __init__(self, name: str, kind: str, words: str) -> None:
        """Keeps all three."""
        super().__init__(name, kind, words)
        self.name, self.kind, self.words = name, kind, words


def network(order: Order, arrays: Mapping[str, np.ndarray], *, name: str) -> Any:
    """The network as a tf_keras functional model whose outputs are a list in the order of `order.outputs`.

    Raises:
        Unsupported: tf_keras has no such layer.
    """
    tensors: dict[int, Any] = {
        int(number): tf_keras.Input(tuple(shape), name=key) for number, (key, shape) in order.inputs.items()
    }
    inputs = list(tensors.values())
    for call in order.calls:
        tensors[call["output"]] = _called(call, weights_of(call, arrays), tensors)
    return tf_keras.Model(inputs, [tensors[number] for number in order.outputs.values()], name=name)


def _called(call: Mapping[str, Any], weights: tuple[np.ndarray, ...], tensors: Mapping[int, Any]) -> Any:
    args, kwargs = (read(call[part], tensors) for part in ("args", "kwargs"))
    layer = _layer(call)
    if call["kind"] != "DepthwiseConv2D":
        output = layer(*args, **kwargs)
        if weights:
            layer.set_weights(weights)
        return output
    kernel, bias = weights
    scale = np.maximum(np.abs(kernel).max(axis=(0, 1)).reshape(-1), 1e-12)
    normal = tf_keras.layers.BatchNormalization(epsilon=_EPSILON, trainable=False, name=call["name"] + NORMAL)
    output = normal(layer(*args, **kwargs))
    layer.set_weights((kernel / scale.reshape(kernel.shape[-2:]), bias / scale))
    zeros = np.zeros_like(scale)
    normal.set_weights((scale, zeros, zeros, np.full_like(scale, 1 - _EPSILON)))
    return output


def _layer(call: Mapping[str, Any]) -> Any:
    name, kind, config = call["name"], call["kind"], dict(call["config"])
    if kind == "NearestUpsample":
        return tf_keras.layers.UpSampling2D(size=tuple(config["size"]), interpolation="nearest", name=name)
    if kind == "Activation":
        config["activation"] = _OTHER_NAMES.get(config["activation"], config["activation"])
        if config["activation"] == "relu6":
            return tf_keras.layers.ReLU(max_value=6.0, name=name)
    cls = getattr(tf_keras.layers, kind, None)
    if cls is None:
        raise Unsupported(name, kind, f"tf_keras has no layer {kind}")
    taken = _parameters(cls)
    # The two disagree on how dtypes and initializers are written; the weights are set anyway.
    plain = {key: value for key, value in config.items() if key in taken and not isinstance(value, dict)}
    try:
        return cls.from_config({**plain, "name": name})
    except (TypeError, ValueError) as error:
        raise Unsupported(name, f"{kind} {config.get('activation') or ''}".strip(), str(error)) from error


def _parameters(cls: type) -> set[str]:
    """The names that a layer's constructor takes, those of its parents included."""
    return {
        name for parent in cls.__mro__ if parent is not object for name in inspect.signature(parent.__init__).parameters
    } - {"self", "dtype", "name", "kwargs", "args"}
