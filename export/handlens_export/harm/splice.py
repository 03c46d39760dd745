"""Gives layers of an int8 `.tflite` back to float, in the file itself.

A converter cannot be told to leave a layer alone: a float operator between two roundings is what it takes for an int8
one. So the file is made int8 as a whole, and then the operators of the chosen units get their float weights again,
float tensors between them, and QUANTIZE and DEQUANTIZE where they meet int8.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import flatbuffers
import numpy as np

from handlens.errors import EngineWrong
from handlens_export.compact import compact
from handlens_export.graph import Graph, Node
from handlens_export.harm.units import members, owners

_HAS_KERNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
_BORDER = ("QUANTIZE", "DEQUANTIZE")
_HALF_STEP = 0.51  # how far a rounded weight may be from its float, in steps
_ROUNDING = 1e-6  # and of its size: a bias of millions of steps is counted in float32


class Spliced:
    """An int8 file of a network, to be written with any of its units in float."""

    def __init__(self, model: bytes, graph: Graph) -> None:
        """Takes the file and the network that it was converted from."""
        self._model, self._graph = model, graph
        self._owners, self._members = owners(graph), members(graph)

    def written(self, floats: Collection[str]) -> bytes:
        """The file with these units in float.

        Raises:
            EngineWrong: a unit has no operator in the file, or weights that are not the network's.
        """
        if not floats:
            return self._model
        return _Pass(self._model, self._owners, self._members, floats).run()

    def float_units(self, model: bytes) -> tuple[str, ...]:
        """The units that compute in float in a file: some operator of theirs, borders aside, reads or gives floats."""
        found = _File(model, self._owners)
        mine = {
            unit
            for operator, unit in found.units()
            if found.kind(operator) not in _BORDER and any(found.is_float(i) for i in found.wired(operator))
        }
        return tuple(name for name in self._members if name in mine)


class _File:
    """A parsed file, and which unit each operator belongs to."""

    def __init__(self, model: bytes, owned: Mapping[str, str]) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
        self.graph = self.parsed.subgraphs[0]
        self.owned = owned
        self.kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        named = [self._layer(tensor, "") for tensor in self.graph.tensors]
        suffixed = [self._layer(tensor, "_1") for tensor in self.graph.tensors]
        # Keras numbers the second call of a layer, so that a whole file has the suffix, or none of it.
        self.suffix = "_1" if sum(map(bool, suffixed)) >= sum(map(bool, named)) else ""

    def _layer(self, tensor: Any, suffix: str) -> str:
        layer = tensor.name.decode().split("/")[0]
        name = layer.removesuffix(suffix) if layer.endswith(suffix) else ""
        return self.owned.get(name, "")

    def kind(self, operator: Any) -> str:
        code = self.parsed.operatorCodes[operator.opcodeIndex]
        return self.kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def constant(self, index: int) -> bool:
        data = self.parsed.buffers[self.graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def is_float(self, index: int) -> bool:
        return bool(self.graph.tensors[index].type == self.schema.TensorType.FLOAT32)

    def wired(self, operator: Any) -> list[int]:
        """The tensors that an operator reads and gives, constants aside."""
        return [int(i) for i in (*operator.inputs, *operator.outputs) if i >= 0 and not self.constant(i)]

    def units(self) -> Iterable[tuple[Any, str]]:
        """Every operator with its unit: by the name of its output, else that of what made its input."""
        made: dict[int, str] = {}
        for operator in self.graph.operators:
            unit = self._layer(self.graph.tensors[operator.outputs[0]], self.suffix)
            if not unit:
                unit = next((made[i] for i in operator.inputs if i in made), "")
            made |= dict.fromkeys((int(i) for i in operator.outputs), unit)
            yield operator, unit


class _Pass(_File):
    """One pass over a file's operators, which rewrites those of float units."""

    def __init__(
        self, model: bytes, owned: Mapping[str, str], nodes: Mapping[str, tuple[Node, ...]], floats: Collection[str]
    ) -> None:
        super().__init__(model, owned)
        self.nodes, self.floats = nodes, floats
        self.given: dict[int, int] = {}  # an int8 tensor -> the float tensor that a float unit makes instead
        self.read: dict[int, int] = {}  # an int8 tensor -> its dequantized form
        self.made_by: dict[int, Any] = {}
        self.done: list[Any] = []

    def run(self) -> bytes:
        seen = set()
        for operator, unit in list(self.units()):
            self.made_by |= dict.fromkeys((int(i) for i in operator.outputs), (operator, unit))
            if unit not in self.floats or self.kind(operator) in _BORDER:
                self.done.append(operator)
                continue
            seen.add(unit)
            self._give_back(operator, unit)
        missing = [unit for unit in self.floats if unit not in seen]
        if missing:
            raise EngineWrong(f"the converted file has no operator of {', '.join(missing)}, so it cannot be in float")
        self.graph.outputs = [self._ending(int(i)) for i in self.graph.outputs]
        for signature in self.parsed.signatureDefs or ():
            for output in signature.outputs:
                output.tensorIndex = self._ending(output.tensorIndex)
        self._swept()
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.parsed.Pack(builder), file_identifier=b"TFL3")
        return compact(bytes(builder.Output()))

    def _give_back(self, operator: Any, unit: str) -> None:
        inputs = []
        for index in (int(i) for i in operator.inputs):
            if index < 0 or self._quantization(index) is None and not self.is_float(index):
                inputs.append(index)  # none, or a shape
            elif self.constant(index):
                inputs.append(index if self.is_float(index) else self._exact(operator, unit, index))
            else:
                inputs.append(self._as_float(index))
        operator.inputs, outputs = inputs, []
        self.done.append(operator)
        for index in (int(i) for i in operator.outputs):
            if self.is_float(index):
                outputs.append(index)
                continue
            self.given[index] = self._tensor(index)
            outputs.append(self.given[index])
            self._border("QUANTIZE", self.given[index], index)
        operator.outputs = outputs

    def _as_float(self, index: int) -> int:
        """The tensor that holds the values of one in float, where they were last in float if a float unit gave them."""
        if index in self.given:
            return self.given[index]
        maker, unit = self.made_by.get(index, (None, ""))
        if maker is not None and self.kind(maker) in _BORDER:
            before = int(maker.inputs[0])
            # Rounded again to another scale, or rounded on the way from a float unit: neither is wanted here.
            if self.kind(maker) == "DEQUANTIZE" and before in self.given:
                return self.given[before]
            if self.kind(maker) == "QUANTIZE" and (not self.is_float(before) or unit in self.floats):
                return self._as_float(before)
        if self.is_float(index):
            return index
        if index not in self.read:
            self.read[index] = self._tensor(index)
            self._border("DEQUANTIZE", index, self.read[index])
        return self.read[index]

    def _ending(self, index: int) -> int:
        """What an output of the network is now."""
        maker, unit = self.made_by.get(index, (None, ""))
        if maker is not None and self.kind(maker) == "QUANTIZE" and unit in self.floats:
            return self._as_float(index)
        return self.given.get(index, index)

    def _exact(self, operator: Any, unit: str, index: int) -> int:
        """A float constant instead of a rounded one: the network's own weights, found by their values."""
        tensor = self.graph.tensors[index]
        values, steps = self._dequantized(index)
        for node in self.nodes[unit]:
            for array in _stored(node):
                if array.size == values.size:
                    found = array.reshape(values.shape)
                    if np.all(np.abs(found - values) <= _HALF_STEP * steps + _ROUNDING * np.abs(found) + 1e-9):
                        return self._tensor(index, found.astype(np.float32))
        if self.kind(operator) in _HAS_KERNEL:
            name = tensor.name.decode()
            raise EngineWrong(f"{unit}: {name} of the converted file is none of the network's weights; convert it anew")
        return self._tensor(index, values.astype(np.float32))

    def _quantization(self, index: int) -> Any:
        quantization = self.graph.tensors[index].quantization
        known = quantization is not None and quantization.scale is not None and len(quantization.scale)
        return quantization if known else None

    def _dequantized(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The floats that a constant's integers stand for, and the step of each."""
        tensor, quantization = self.graph.tensors[index], self._quantization(index)
        dtype = {self.schema.TensorType.INT8: np.int8, self.schema.TensorType.INT32: np.int32}[tensor.type]
        shape = () if tensor.shape is None else tuple(tensor.shape)
        stored = np.asarray(self.parsed.buffers[tensor.buffer].data, np.uint8).view(dtype).reshape(shape)
        wide = [1] * len(shape)
        if len(quantization.scale) > 1:
            wide[quantization.quantizedDimension] = -1
        scale = np.asarray(quantization.scale, np.float64).reshape(wide if len(quantization.scale) > 1 else ())
        zero = np.asarray(quantization.zeroPoint, np.float64).reshape(wide if len(quantization.zeroPoint) > 1 else ())
        return (stored.astype(np.float64) - zero) * scale, np.broadcast_to(scale, shape)

    def _tensor(self, like: int, values: np.ndarray | None = None) -> int:
        """A new float tensor of the shape of another."""
        old, made = self.graph.tensors[like], self.schema.TensorT()
        made.name, made.shape, made.shapeSignature = old.name, old.shape, old.shapeSignature
        made.type = self.schema.TensorType.FLOAT32
        made.buffer = 0
        if values is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.parsed.buffers.append(buffer)
            made.buffer = len(self.parsed.buffers) - 1
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def _border(self, kind: str, before: int, after: int) -> None:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = [before], [after]
        self.done.append(operator)

    def _code(self, kind: str) -> int:
        number = getattr(self.schema.BuiltinOperator, kind)
        for index, code in enumerate(self.parsed.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
                code.version = max(code.version, 2)
                return index
        code = self.schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.version = 2
        self.parsed.operatorCodes.append(code)
        return len(self.parsed.operatorCodes) - 1

    def _swept(self) -> None:
        """Leaves out operators that nobody reads, and tensors and buffers that are of no operator."""
        needed, kept = {int(i) for i in self.graph.outputs}, []
        for operator in reversed(self.done):
            if needed & {int(i) for i in operator.outputs}:
                needed |= {int(i) for i in operator.inputs}
                kept.append(operator)
        self.graph.operators = kept[::-1]
        ends = {int(i) for o in kept for i in (*o.inputs, *o.outputs) if i >= 0} | {int(i) for i in self.graph.inputs}
        at = {old: new for new, old in enumerate(sorted(ends | needed - {-1}))}
        self.graph.tensors = [self.graph.tensors[old] for old in at]
        for operator in kept:
            operator.inputs = [at.get(int(i), -1) for i in operator.inputs]
            operator.outputs = [at[int(i)] for i in operator.outputs]
        self.graph.inputs, self.graph.outputs = (
            [at[int(i)] for i in x] for x in (self.graph.inputs, self.graph.outputs)
        )
        for signature in self.parsed.signatureDefs or ():
            for end in (*signature.inputs, *signature.outputs):
                end.tensorIndex = at[end.tensorIndex]
        used = {0} | {tensor.buffer for tensor in self.graph.tensors}
        used |= {item.buffer for item in self.parsed.metadata or ()}
        new = {old: index for index, old in enumerate(sorted(used))}
        self.parsed.buffers = [self.parsed.buffers[old] for old in new]
        for holder in (*self.graph.tensors, *(self.parsed.metadata or ())):
            holder.buffer = new[holder.buffer]


def _stored(node: Node) -> Iterable[np.ndarray]:
    """A call's weights as a file may store them."""
    for array in node.weights:
        match node.cls.__name__, array.ndim:
            case "Conv2D", 4:
                yield array.transpose(3, 0, 1, 2)
            case "Conv2DTranspose", 4:
                yield array.transpose(2, 0, 1, 3)
            case "Dense", 2:
                yield array.T
            case _:
                yield array
