"""In the worker: a network of handlens as a tf_keras model, which is what tfmot takes.

Batch normalisation is folded away in the network, and tfmot must find it again. Where a ReLU follows a convolution
directly, its `LayerReLUQuantize` takes the convolution's quantizer away, and with it the zeros and the clusters that
were to be kept; with a batch normalisation between the two it does not. And it has one scale for a whole depthwise
kernel, whose channels differ a hundredfold once it is folded in. So a frozen batch normalisation is put behind both:
one that changes nothing, and one that scales back the channels of a depthwise kernel whose largest weights are at 1.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import tf_keras

from handlens_export.graph import Weights
from handlens_export.tfmot.order import Order, read, tensor_arguments, weights_of

_EPSILON = 1e-3
DEAD = 1e-3  # of a kernel's largest weight: a channel below is dead, and its scale would not leave room for its bias
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
    before_relu = _before_relu(order)
    for call in order.calls:
        layer, weights = _layer(call), weights_of(call, arrays)
        args, kwargs = (read(call[part], tensors) for part in ("args", "kwargs"))
        output = layer(*args, **kwargs)
        if call["kind"] == "DepthwiseConv2D" or (call["kind"] == "Conv2D" and call["output"] in before_relu):
            weights, output = _scaled(call, weights, output)
        if weights:
            layer.set_weights(weights)
        tensors[call["output"]] = output
    return tf_keras.Model(inputs, [tensors[number] for number in order.outputs.values()], name=name)


def _scaled(call: Mapping[str, Any], weights: Weights, output: Any) -> tuple[Weights, Any]:
    """A convolution's weights, its output behind a batch normalisation that makes up for what is taken from them."""
    kernel, bias = weights
    scale = np.ones_like(bias)
    if call["kind"] == "DepthwiseConv2D":
        largest = np.abs(kernel).max(axis=(0, 1)).reshape(-1)
        scale = np.maximum(largest, max(DEAD * float(largest.max()), 1e-12))
        kernel, bias = kernel / scale.reshape(kernel.shape[-2:]), bias / scale
    normal = tf_keras.layers.BatchNormalization(epsilon=_EPSILON, trainable=False, name=f"{call['name']}_scale")
    output = normal(output)
    zeros = np.zeros_like(scale)
    normal.set_weights((scale, zeros, zeros, np.full_like(scale, 1 - _EPSILON)))
    return (kernel, bias), output


def _before_relu(order: Order) -> set[int]:
    """The tensors that a ReLU alone reads."""
    readers: dict[int, list[Mapping[str, Any]]] = {}
    for call in order.calls:
        for number in tensor_arguments(call):
            readers.setdefault(number, []).append(call)
    outputs = set(order.outputs.values())
    return {number for number, calls in readers.items() if len(calls) == 1 and _is_relu(calls[0])} - outputs


def _is_relu(call: Mapping[str, Any]) -> bool:
    return call["kind"] == "ReLU" or (
        call["kind"] == "Activation" and call["config"]["activation"] in ("relu", "relu6")
    )


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
        words = str(error).split("Exception encountered:")[-1].split("Please ensure")[0].strip()
        raise Unsupported(name, f"{kind} {config.get('activation') or ''}".strip(), f"tf_keras: {words}") from error


def _parameters(cls: type) -> set[str]:
    """The names that a layer's constructor takes, those of its parents included."""
    return {
        name for parent in cls.__mro__ if parent is not object for name in inspect.signature(parent.__init__).parameters
    } - {"self", "dtype", "name", "kwargs", "args"}
