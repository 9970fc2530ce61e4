"""An ONNX graph computed in torch, operator by operator, so that gradients flow through a bundle's own head.

A bundle on disk has no torch weights. What is known here are the operators that heads and clip encoders of `train`
consist of (opset 18); any other is refused by name. The weights are constants.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ....errors import TrainingError

Attributes = Mapping[str, Any]
Operator = Callable[[Sequence[Tensor], Attributes], Tensor | tuple[Tensor, ...]]
SPLIT = "Split"  # the one operator that may have several outputs


class DifferentiableGraph:
    """The graph of one file.

    Raises TrainingError on an operator that is not known here.
    """

    def __init__(self, path: Path) -> None:
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(path).graph
        self._constants: dict[str, Tensor] = {
            # a copy, since the arrays are views of the file's read-only bytes
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
            for tensor in graph.initializer
        }
        self._nodes = [
            (
                node.op_type,
                list(node.input),
                list(node.output),
                {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute},
            )
            for node in graph.node
        ]
        self._outputs = [output.name for output in graph.output]
        unknown = sorted(
            {
                name
                for name, _, outputs, _ in self._nodes
                if name not in OPERATORS or (len(outputs) != 1 and name != SPLIT)
            }
        )
        if unknown:
            raise TrainingError(f"{path}: no gradient is known here for the operator {', '.join(unknown)}; "
                                "personalise takes bundles that `python -m train fit` exports")  # fmt: skip

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name, of inputs by name."""
        values = self._constants | dict(inputs)
        for name, sources, targets, attributes in self._nodes:
            found = OPERATORS[name]([values[source] for source in sources if source], attributes)
            values |= zip(targets, found if isinstance(found, tuple) else (found,), strict=True)
        return {name: values[name] for name in self._outputs}


def _gemm(x: Sequence[Tensor], a: Attributes) -> Tensor:
    left = x[0].T if a.get("transA", 0) else x[0]
    right = x[1].T if a.get("transB", 0) else x[1]
    product: Tensor = a.get("alpha", 1.0) * (left @ right)
    return product + a.get("beta", 1.0) * x[2] if len(x) > 2 else product


def _slice(x: Sequence[Tensor], _: Attributes) -> Tensor:
    out, starts, ends = x[0], x[1].tolist(), x[2].tolist()
    axes = x[3].tolist() if len(x) > 3 else list(range(len(starts)))
    steps = x[4].tolist() if len(x) > 4 else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        rows = range(out.shape[axis])[slice(start, end, step)]
        out = out.index_select(axis, torch.tensor(rows, dtype=torch.int64))
    return out


def _split(x: Sequence[Tensor], a: Attributes) -> tuple[Tensor, ...]:
    axis = a.get("axis", 0)
    if len(x) > 1:
        return torch.split(x[0], x[1].tolist(), dim=axis)
    return torch.split(x[0], -(-x[0].shape[axis] // a["num_outputs"]), dim=axis)  # the last one may be smaller


def _squeeze(x: Sequence[Tensor], _: Attributes) -> Tensor:
    return x[0].squeeze(tuple(x[1].tolist())) if len(x) > 1 else x[0].squeeze()


def _unsqueeze(x: Sequence[Tensor], _: Attributes) -> Tensor:
    out, axes = x[0], x[1].tolist()
    width = out.ndim + len(axes)
    for axis in sorted(axis % width for axis in axes):
        out = out.unsqueeze(axis)
    return out


def _reshape(x: Sequence[Tensor], a: Attributes) -> Tensor:
    wanted = x[1].tolist()
    if not a.get("allowzero", 0):
        wanted = [x[0].shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return x[0].reshape(wanted)


def _reduce(x: Sequence[Tensor], a: Attributes, *, mean: bool) -> Tensor:
    axes = tuple(x[1].tolist()) if len(x) > 1 else tuple(range(x[0].ndim))
    keep = bool(a.get("keepdims", 1))
    return x[0].mean(axes, keepdim=keep) if mean else x[0].sum(axes, keepdim=keep)


def _layer_norm(x: Sequence[Tensor], a: Attributes) -> Tensor:
    shape = x[0].shape[a.get("axis", -1) :]
    return F.layer_norm(x[0], shape, x[1], x[2] if len(x) > 2 else None, a.get("epsilon", 1e-5))


def _cast(x: Sequence[Tensor], a: Attributes) -> Tensor:
    import onnx

    return x[0].to(torch.from_numpy(onnx.numpy_helper.to_array(onnx.helper.make_tensor("", a["to"], [1], [0]))).dtype)


OPERATORS: dict[str, Operator] = {
    "Add": lambda x, _: x[0] + x[1],
    "Cast": _cast,
    "Concat": lambda x, a: torch.cat(list(x), dim=a["axis"]),
    "Div": lambda x, _: x[0] / x[1],
    "Gemm": _gemm,
    "Greater": lambda x, _: x[0] > x[1],
    "Identity": lambda x, _: x[0],
    "LayerNormalization": _layer_norm,
    "MatMul": lambda x, _: x[0] @ x[1],
    "Mul": lambda x, _: x[0] * x[1],
    "Not": lambda x, _: ~x[0],
    "ReduceMean": partial(_reduce, mean=True),
    "ReduceSum": partial(_reduce, mean=False),
    "Relu": lambda x, _: x[0].relu(),
    "Reshape": _reshape,
    "Shape": lambda x, a: torch.tensor(x[0].shape[a.get("start", 0) : a.get("end")]),
    "Sigmoid": lambda x, _: x[0].sigmoid(),
    "Slice": _slice,
    "Softmax": lambda x, a: x[0].softmax(dim=a.get("axis", -1)),
    "Softplus": lambda x, _: F.softplus(x[0]),
    SPLIT: _split,
    "Squeeze": _squeeze,
    "Sub": lambda x, _: x[0] - x[1],
    "Tanh": lambda x, _: x[0].tanh(),
    "Transpose": lambda x, a: x[0].permute(*a["perm"]),
    "Unsqueeze": _unsqueeze,
    "Where": lambda x, _: torch.where(x[0], x[1], x[2]),
}
