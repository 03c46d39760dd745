"""In the worker: what tfmot does to a network. Pruning, clustering, and quantization that keeps what the two made.

tfmot's names: QAT, PQAT (after pruning), CQAT (after clustering), PCQAT (after both).
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster
from tensorflow_model_optimization.python.core.quantization.keras import quantize_layer, quantize_wrapper
from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
    default_8bit_cluster_preserve_quantize_scheme as keeps_clusters,
)
from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.prune_preserve import (
    default_8bit_prune_preserve_quantize_scheme as keeps_zeros,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import default_8bit_quantize_scheme

from handlens_export.distill import PACE
from handlens_export.prune import RAMP
from handlens_export.tfmot.order import Order
from handlens_export.tfmot.rebuild import DEAD, Unsupported
from handlens_export.tfmot.tune import Tuner, chunks

PRUNABLE = ("Conv2D", "Dense")
_PREFIX = "quant_"
_TRANSFORMED = ("InputLayer", "BatchNormalization")  # tfmot's layout knows these, not its registry


def check(model: Any, order: Order) -> None:
    """Asks tfmot for every layer, before minutes are spent on the first stage.

    Raises:
        Unsupported: it has no quantized form of one; the message counts them all.
    """
    plain = default_8bit_quantize_scheme.Default8BitQuantizeScheme().get_quantize_registry()
    registry = _scheme(order).get_quantize_registry()
    refused = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in _TRANSFORMED:
            continue
        activation = getattr(getattr(layer, "activation", None), "__name__", "")
        named = f"{kind} {activation}" if kind == "Activation" else kind
        try:
            # As quantize_apply asks, so that the words are tfmot's.
            if not (plain.supports(layer) and registry.supports(layer)):
                raise RuntimeError(f"Layer {layer.name}:{type(layer)} is not supported.")
            config = registry.get_quantize_config(layer)
            config.get_output_quantizers(layer)
        except (RuntimeError, ValueError) as error:
            refused.append(Unsupported(layer.name, named, str(error).split("instance to the")[0].strip()))
    if refused:
        first = refused[0]
        kinds = sorted({item.kind for item in refused})
        words = f"{len(refused)} layers of this network are refused ({', '.join(kinds)}); tfmot: {first.words}"
        raise Unsupported(first.name, first.kind, words if len(refused) > 1 else f"tfmot: {first.words}")


class Pruning:
    """A network that tfmot prunes layer by layer, by magnitude, with its polynomial schedule.

    Every layer ends at the target itself, rounded up to whole weights. The schedule's step is set by progress: tfmot
    counts batches, and a time limit would end it early.
    """

    def __init__(self, model: Any, target: float, steps: int) -> None:
        """Wraps the convolutions and dense layers of `model`."""
        self.end = max(1, round(RAMP * steps / PACE)) * PACE
        self.target = target
        self.model = tf_keras.models.clone_model(model, clone_function=self._wrapped)
        self.layers = [layer for layer in self.model.layers if hasattr(layer, "pruning_step")]

    def _wrapped(self, layer: Any) -> Any:
        if type(layer).__name__ not in PRUNABLE:
            return layer
        size = int(np.prod(layer.kernel.shape))
        final = min(np.ceil(self.target * size - 1e-6) / size, 1 - 1 / size)
        schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, float(final), 0, self.end, power=3, frequency=PACE)
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    def tighten(self, progress: float) -> None:
        """Lets the next batch prune to what the schedule says of this progress."""
        step = min(int(progress / RAMP * self.end) // PACE * PACE, self.end)
        for layer in self.layers:
            layer.pruning_step.assign(step - 1 if step else 0)

    def finished(self, batch: Any) -> Any:
        """The network at its full sparsity, without tfmot's wrappers."""
        for layer in self.layers:
            layer.pruning_step.assign(self.end - 1)
        self.model(batch, training=True)
        for layer in self.layers:
            layer.pruning_obj.weight_mask_op()
        return tfmot.sparsity.keras.strip_pruning(self.model)


def clustered(model: Any, clusters: int, keep_zeros: bool) -> Any:
    """A network whose convolutions and dense layers take `clusters` values each, centroids to be trained."""

    def wrapped(layer: Any) -> Any:
        if type(layer).__name__ not in PRUNABLE:
            return layer
        return cluster.cluster_weights(
            layer,
            number_of_clusters=clusters,
            cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
            preserve_sparsity=keep_zeros,
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a kernel with fewer weights than clusters is left as it is
        return tf_keras.models.clone_model(model, clone_function=wrapped)


def stripped(model: Any) -> Any:
    """A clustered network without tfmot's wrappers."""
    return tfmot.clustering.keras.strip_clustering(model)


def quantized(model: Any, order: Order) -> Any:
    """The network for QAT, with the quantizers that keep what the stages before made.

    Raises:
        Unsupported: tfmot refuses a layer.
    """
    try:
        annotated = tfmot.quantization.keras.quantize_annotate_model(model)
        return tfmot.quantization.keras.quantize_apply(annotated, _scheme(order), quantized_layer_name_prefix=_PREFIX)
    except (RuntimeError, ValueError) as error:
        raise Unsupported("the network", "as a whole", f"tfmot: {error}") from error


class Quantizers:
    """The activation ranges of a network for QAT, by the name of the layer that makes the tensor."""

    def __init__(self, model: Any) -> None:
        """Finds them."""
        self.ends: dict[str, tuple[Any, Any]] = {}
        for layer in model.layers:
            if isinstance(layer, quantize_layer.QuantizeLayer | quantize_wrapper.QuantizeWrapper):
                found = _ends(layer)
                if found is not None:
                    name = layer.input.name if type(layer).__name__ == "QuantizeLayer" else layer.layer.name
                    self.ends[name] = found

    def assign(self, ranges: Mapping[str, tuple[float, float]], names: Iterable[str]) -> None:
        """Sets those of `names` that there are."""
        for name in names:
            if name in self.ends:
                for variable, value in zip(self.ends[name], ranges[name], strict=True):
                    variable.assign(value)

    def ranges(self) -> dict[str, tuple[float, float]]:
        """As they are now."""
        return {name: (float(low.numpy()), float(high.numpy())) for name, (low, high) in self.ends.items()}


def kernels(model: Any) -> dict[str, np.ndarray]:
    """The prunable kernels of a plain or a quantized network, by layer."""
    inner = [layer.layer if isinstance(layer, quantize_wrapper.QuantizeWrapper) else layer for layer in model.layers]
    return {layer.name: np.asarray(layer.kernel) for layer in inner if type(layer).__name__ in PRUNABLE}


def floor_scales(model: Any) -> None:
    """Gives the dead channels of a kernel, or those pruned to nothing, a scale that leaves room for their biases.

    A bias is an int32 of the kernel's scale times the input's; of next to nothing it does not fit.
    """
    for layer in model.layers:
        for _, _, ends in getattr(layer, "_weight_vars", ()):
            low, high = ends["min_var"], ends["max_var"]
            floor = DEAD * float(np.max(np.abs(high.numpy())))
            low.assign(np.minimum(low.numpy(), -floor))
            high.assign(np.maximum(high.numpy(), floor))


def measured(parent: Any, names: Iterable[str], tuner: Tuner, images: np.ndarray) -> dict[str, tuple[float, float]]:
    """The lowest and highest value, zero included, that layers or inputs of the float network give on images."""
    tensors = {layer.name: layer.output for layer in parent.layers}
    wanted = [name for name in names if name in tensors]
    observer = tf_keras.Model(parent.inputs, [tensors[name] for name in wanted])
    ends = {name: (0.0, 1e-6) for name in wanted}
    for batch in chunks(images, tuner.spec):
        for name, values in zip(wanted, observer(batch, training=False), strict=True):
            low, high = ends[name]
            ends[name] = (min(low, float(values.numpy().min())), max(high, float(values.numpy().max())))
    return ends


def _scheme(order: Order) -> Any:
    if order.clusters:
        return keeps_clusters.Default8BitClusterPreserveQuantizeScheme(order.sparsity > 0)
    if order.sparsity:
        return keeps_zeros.Default8BitPrunePreserveQuantizeScheme()
    return default_8bit_quantize_scheme.Default8BitQuantizeScheme()


def _ends(layer: Any) -> tuple[Any, Any] | None:
    """The two variables of a layer's output range; None where it has none of its own."""
    found = getattr(layer, "quantizer_vars", None) or getattr(layer, "_output_quantizer_vars", None)
    for activation in getattr(layer, "_quantize_activations", ()):
        found = found or getattr(activation, "_post_activation_vars", None)
    return (found["min_var"], found["max_var"]) if found else None
