"""Losses and scores equal plain loops over the formulas of the papers, at sizes that no fixture has, in both types."""

import numpy as np
import pytest
import torch

from tests.support.training.plain_loops import Array, as_tensor, assert_equals_loops, rounded, softmax
from train.losses import ccc_loss, relational_loss
from train.methods.au_guided.loss import au_alignment_loss
from train.methods.au_guided.recipe import AlignmentKind
from train.methods.au_guided.spatial import resize_region
from train.methods.emoclip.loss import clip_contrastive_loss
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


def test_the_gradients_are_those_of_the_values() -> None:
    features, labels, other = (torch.from_numpy(normal(seed, 5, 3)).requires_grad_() for seed in range(3))
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    layer, region = torch.from_numpy(normal(3, 2, 3, 4, 5)).requires_grad_(), torch.rand(2, 1, 9, 9).double()
    assert torch.autograd.gradcheck(lambda x: relational_loss(x, labels.detach(), reference=True), features)
    assert torch.autograd.gradcheck(lambda x: ccc_loss(x, labels.detach()), features)
    assert torch.autograd.gradcheck(clip_contrastive_loss, (features, other, scale))
    assert torch.autograd.gradcheck(lambda x: au_alignment_loss(x, region), layer)
