"""Losses and scores equal plain loops over the formulas of the papers, at sizes that no fixture has, in both types."""

import numpy as np
import pytest
import torch

from tests.support.plain_loops import Array, as_tensor, assert_equals_loops, rounded, softmax
from train.losses import ccc_loss, relational_loss
from train.methods.au_guided.loss import AlignmentKind, au_alignment_loss
from train.methods.au_guided.spatial import resize_region
from train.methods.emoclip.loss import clip_contrastive_loss
from train.methods.pkdot.loss import pkdot_loss
from train.metrics.regression import ccc, mae, pcc, rmse

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def normal(seed: int, *shape: int) -> Array:
    (values,) = rounded(np.random.default_rng(seed).normal(size=shape))
    return values


def unit(row: Array) -> Array:
    return np.asarray(row / max(float(np.linalg.norm(row)), 1e-12))


@both_types
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(("rows", "width", "labels"), [(2, 1, 1), (3, 40, 2), (17, 5, 4), (64, 128, 7)])
def test_the_relational_loss(rows: int, width: int, labels: int, reference: bool, dtype: torch.dtype) -> None:
    x, y = normal(rows, rows, width), normal(rows + 1, rows, labels)
    y[0] = 0  # a neutral label is similar to nothing
    squares = [
        (unit(x[i]) @ unit(x[j]) - unit(y[i]) @ unit(y[j])) ** 2 for i in range(rows) for j in range(rows) if i != j
    ]
    loss = relational_loss(as_tensor(x, dtype), as_tensor(y, dtype), reference=reference)
    assert_equals_loops(loss, float(np.sqrt(np.mean(squares))))


def plain_scores(a: Array, b: Array) -> dict[str, float]:
    """Of one column, with a mean that is a sum in a loop."""
    count = len(a)
    mean_a, mean_b = sum(a) / count, sum(b) / count
    products = sum((p - mean_a) * (t - mean_b) for p, t in zip(a, b, strict=True))
    square_a, square_b = sum((p - mean_a) ** 2 for p in a), sum((t - mean_b) ** 2 for t in b)
    correlation = products / (np.sqrt(square_a * square_b) + 1e-5)
    spread = square_a / count + square_b / count + (mean_a - mean_b) ** 2
    return {
        "pcc": correlation,
        "ccc": 2 * correlation * np.sqrt(square_a / count) * np.sqrt(square_b / count) / (spread + 1e-5),
        "rmse": np.sqrt(sum((p - t) ** 2 for p, t in zip(a, b, strict=True)) / count),
        "mae": sum(abs(p - t) for p, t in zip(a, b, strict=True)) / count,
    }


@both_types
@pytest.mark.parametrize(("rows", "columns"), [(2, 1), (9, 3), (301, 2)])
def test_the_scores_and_the_concordance_loss(rows: int, columns: int, dtype: torch.dtype) -> None:
    a, b = normal(rows, rows, columns), 0.3 * normal(rows + 1, rows, columns) + 0.5
    b[:, -1] += a[:, -1]
    expected = [plain_scores(a[:, column], b[:, column]) for column in range(columns)]
    pred, target = as_tensor(a, dtype), as_tensor(b, dtype)
    for name, score in (("pcc", pcc), ("ccc", ccc), ("rmse", rmse), ("mae", mae)):
        assert_equals_loops(score(pred, target), np.array([one[name] for one in expected]))
    assert_equals_loops(ccc_loss(pred, target), float(np.mean([1 - one["ccc"] for one in expected])))


@both_types
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(("rows", "width", "scale"), [(1, 4, 4.6052), (2, 3, 0.0), (11, 64, 4.6052), (30, 7, -1.0)])
def test_the_contrastive_loss(rows: int, width: int, scale: float, reference: bool, dtype: torch.dtype) -> None:
    video, text, (log_scale,) = normal(rows, rows, width), normal(rows + 1, rows, width), rounded(np.array(scale))
    logits = np.array([[np.exp(log_scale) * (unit(v) @ unit(t)) for t in text] for v in video])
    entropies = [
        -(np.log(softmax(logits[i])[i]) + np.log(softmax(logits[:, i])[i])) / 2 for i in range(rows)
    ]  # fmt: skip
    loss = clip_contrastive_loss(
        as_tensor(video, dtype), as_tensor(text, dtype), as_tensor(log_scale, dtype), reference=reference
    )
    assert_equals_loops(loss, float(np.mean(entropies)))


def plain_alignment(attention: Array, region: Array, kind: AlignmentKind) -> float:
    a, b = attention.ravel(), region.ravel()
    if kind == "l1":
        return float(np.mean([abs(p - q) for p, q in zip(a, b, strict=True)]))
    if kind == "l2":
        return float(np.mean([(p - q) ** 2 for p, q in zip(a, b, strict=True)]))
    if kind == "kl":
        p = np.exp(a) / np.exp(a).sum()
        return float(
            np.mean([t * np.log(t / q) + (1 - t) * np.log((1 - t) / (1 - q)) for t, q in zip(b, p, strict=True)])
        )
    if kind == "std_cosine":
        a = (a - a.mean()) / (a.std(ddof=1) + 1e-4)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(1 - sum(a * b) / max(norms, 1e-8))


@both_types
@pytest.mark.parametrize("kind", ["cosine", "std_cosine", "l1", "l2", "kl"])
def test_the_alignment_loss_of_layers_of_unequal_sizes(kind: AlignmentKind, dtype: torch.dtype) -> None:
    layers = [normal(1, 4, 3, 9, 7), normal(2, 4, 10, 5, 5), normal(3, 4, 1, 3, 2)]
    (regions,) = rounded(np.random.default_rng(4).uniform(size=(4, 1, 31, 45)))
    regions[2, 0, 5, 5] = np.inf
    usable = [0, 1, 3]
    means = []
    for layer in layers:
        size = (layer.shape[2], layer.shape[3])
        resized = resize_region(as_tensor(regions[usable], dtype), size).double().numpy()
        losses = [plain_alignment(layer[row].mean(axis=0), resized[place, 0], kind) for place, row in enumerate(usable)]
        means.append(np.mean(losses))
    found = au_alignment_loss([as_tensor(layer, dtype) for layer in layers], as_tensor(regions, dtype), kind=kind)
    assert_equals_loops(found, np.mean(means))


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


@both_types
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


def test_the_gradients_are_those_of_the_values() -> None:
    features, labels, other = (torch.from_numpy(normal(seed, 5, 3)).requires_grad_() for seed in range(3))
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    layer, region = torch.from_numpy(normal(3, 2, 3, 4, 5)).requires_grad_(), torch.rand(2, 1, 9, 9).double()
    assert torch.autograd.gradcheck(lambda x: relational_loss(x, labels.detach(), reference=True), features)
    assert torch.autograd.gradcheck(lambda x: ccc_loss(x, labels.detach()), features)
    assert torch.autograd.gradcheck(clip_contrastive_loss, (features, other, scale))
    assert torch.autograd.gradcheck(lambda x: au_alignment_loss(x, region), layer)
