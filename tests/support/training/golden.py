"""Numeric fixtures that were computed with the authors' published code, as torch tensors.

Each `.npz` under tests/golden holds inputs, weights (`param.<published name>`) and outputs. The weights are
stored as float32 but were used as float64, so every floating value is read as float64.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parents[2] / "golden"
RTOL, ATOL = 1e-6, 1e-8


@dataclass(frozen=True, slots=True)
class Golden:
    """One fixture: `values` by key, the published weights by published name, and what is text."""

    values: dict[str, Tensor]
    weights: dict[str, Tensor]
    texts: dict[str, list[str]]

    def __getitem__(self, key: str) -> Tensor:
        return self.values[key]

    def leaf(self, key: str) -> Tensor:
        """A copy of an input that collects its gradient."""
        return self.values[key].clone().requires_grad_()


def load_golden(name: str) -> Golden:
    """Read the fixture `name`."""
    values, weights, texts = {}, {}, {}
    with np.load(FOLDER / f"{name}.npz") as arrays:
        for key in arrays.files:
            if arrays[key].dtype.kind == "U":
                texts[key] = arrays[key].ravel().tolist()
                continue
            value = torch.from_numpy(arrays[key])
            value = value.double() if value.is_floating_point() else value
            if key.startswith("param."):
                weights[key.removeprefix("param.")] = value
            else:
                values[key] = value
    return Golden(values, weights, texts)


def assert_matches(actual: Tensor, expected: Tensor) -> None:
    """Equal shapes, and equal values to the fixtures' tolerance."""
    torch.testing.assert_close(actual, expected, rtol=RTOL, atol=ATOL)
