"""The building blocks of the published networks as plain NumPy loops, to hold vectorised code against.

Weights are dictionaries by the authors' names. Everything works on one sample at a time, in float64.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]

TOLERANCES = {torch.float64: (1e-6, 1e-8), torch.float32: (1e-4, 1e-5)}


def assert_equals_loops(actual: Tensor, expected: Array | float) -> None:
    """Equal shapes, and equal values to the fixtures' tolerance for the tensor's type."""
    rtol, atol = TOLERANCES[actual.dtype]
    wanted = torch.as_tensor(np.asarray(expected), dtype=torch.float64)
    torch.testing.assert_close(actual.detach().double(), wanted, rtol=rtol, atol=atol)


def as_tensor(array: Array, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(array).to(dtype)


def rounded(*arrays: Array) -> tuple[Array, ...]:
    """What float32 can hold, so that both precisions begin with the same numbers."""
    return tuple(array.astype(np.float32).astype(np.float64) for array in arrays)


def drawn_weights(shapes: Mapping[str, tuple[int, ...]], generator: np.random.Generator) -> Weights:
    """N(0, 1 / fan-in) for matrices, small vectors, scales about 1."""
    weights = {}
    for name, shape in shapes.items():
        values = generator.normal(size=shape)
        if len(shape) > 1 and not name.endswith("weight_g"):
            values /= np.sqrt(np.prod(shape[1:]))
        else:
            values *= 0.1
        if name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "ln.weight", "weight_g")):
            values += 1
        weights[name] = values.astype(np.float32).astype(np.float64)
    return weights


def under(weights: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def published_state(weights: Weights, prefix: str = "") -> dict[str, object]:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def linear(x: Array, weights: Weights, name: str) -> Array:
    weight = weights[f"{name}weight"]
    out = x @ weight.reshape(weight.shape[:2]).T
    return np.asarray(out + weights[f"{name}bias"] if f"{name}bias" in weights else out)


def layer_norm(x: Array, weights: Weights, name: str) -> Array:
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(variance + 1e-5) * weights[f"{name}weight"] + weights[f"{name}bias"])


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


def heads_attend(query: Array, key: Array, value: Array, heads: int) -> Array:
    """Scaled dot products head by head: (Q, W), (T, W), (T, W) → (Q, W)."""
    width = query.shape[1] // heads
    out = np.zeros_like(query)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        for row in range(len(query)):
            scores = np.array([query[row, part] @ other[part] for other in key]) / np.sqrt(width)
            out[row, part] = softmax(scores) @ value[:, part]
    return out


def multi_head(query: Array, memory: Array, weights: Weights, name: str, heads: int) -> Array:
    """PyTorch's attention with packed input weights: (Q, D), (T, D) → (Q, D)."""
    width = query.shape[1]
    packed, bias = weights[f"{name}in_proj_weight"], weights[f"{name}in_proj_bias"]
    q = query @ packed[:width].T + bias[:width]
    k = memory @ packed[width : 2 * width].T + bias[width : 2 * width]
    v = memory @ packed[2 * width :].T + bias[2 * width :]
    return linear(heads_attend(q, k, v, heads), weights, f"{name}out_proj.")


def multi_head_shapes(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}in_proj_weight": (3 * dim, dim),
        f"{name}in_proj_bias": (3 * dim,),
        **linear_shapes(f"{name}out_proj.", dim, dim),
    }


def linear_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}weight": (outputs, inputs), f"{name}bias": (outputs,)}


def norm_shapes(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}weight": (dim,), f"{name}bias": (dim,)}


def ready(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """In evaluation mode and the wanted precision."""
    return module.to(dtype).eval()
