"""PKDOT's structure loss equals plain loops over its formula, at sizes that no fixture has, in both types."""

import numpy as np
import pytest
import torch

from tests.support.training.plain_loops import Array, as_tensor, assert_equals_loops, rounded
from train.methods.pkdot.loss import pkdot_loss


def normal(seed: int, *shape: int) -> Array:
    (values,) = rounded(np.random.default_rng(seed).normal(size=shape))
    return values


def unit(row: Array) -> Array:
    return np.asarray(row / max(float(np.linalg.norm(row)), 1e-12))


def plain_transport(x: Array, y: Array, blur: float, scaling: float) -> float:
    """Debiased, in loops over points, as the specification writes it."""

    def cost(a: Array, b: Array) -> Array:
        return np.array([[sum((p - q) ** 2) / 2 for q in b] for p in a])

    def soft_minimum(costs: Array, potential: Array, eps: float) -> Array:
        scores = potential[None] / eps - np.log(costs.shape[1]) - costs / eps
        top = scores.max(axis=1, keepdims=True)
        return np.asarray(-eps * (top[:, 0] + np.log(np.exp(scores - top).sum(axis=1))))

    both = np.concatenate([x, y])
    diameter = np.linalg.norm(both.max(axis=0) - both.min(axis=0))
    steps = np.arange(2 * np.log(diameter), 2 * np.log(blur), 2 * np.log(scaling))
    epsilons = [diameter**2, *np.exp(steps), blur**2]
    pairs = {"xy": cost(x, y), "yx": cost(y, x), "xx": cost(x, x), "yy": cost(y, y)}
    partner = {"xy": "yx", "yx": "xy", "xx": "xx", "yy": "yy"}
    start = {name: np.zeros(costs.shape[1]) for name, costs in pairs.items()}
    f = {name: soft_minimum(pairs[name], start[name], epsilons[0]) for name in pairs}
    for eps in epsilons:
        new = {name: soft_minimum(pairs[name], f[partner[name]], eps) for name in pairs}
        f = {name: (f[name] + new[name]) / 2 for name in pairs}
    last = {name: soft_minimum(pairs[name], f[partner[name]], epsilons[-1]) for name in pairs}
    return float(np.mean(last["xy"]) - np.mean(last["xx"]) + np.mean(last["yx"]) - np.mean(last["yy"]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(("rows", "wide", "narrow", "k"), [(6, 16, 16, 3), (14, 5, 9, 2), (25, 32, 8, 7)])
def test_the_structure_loss_on_given_anchors(
    rows: int, wide: int, narrow: int, k: int, reference: bool, dtype: torch.dtype
) -> None:
    teacher, student = normal(rows, rows, wide), normal(rows + 1, rows, narrow)
    anchors = np.stack([np.random.default_rng(row).permutation(rows)[:k] for row in range(rows)])
    clouds = []
    for embeddings in (teacher, student):
        cosine = np.array([[unit(p) @ unit(q) for q in embeddings] for p in embeddings])
        shifted = cosine - cosine.min()
        clouds.append(np.array([[shifted[row, column] for column in anchors[row]] for row in range(rows)]))
    loss = pkdot_loss(
        as_tensor(teacher, dtype), as_tensor(student, dtype), topk=k, anchor_index=torch.from_numpy(anchors),
        reference=reference,
    )  # fmt: skip
    assert_equals_loops(loss, plain_transport(clouds[0], clouds[1], blur=0.1, scaling=0.5))
