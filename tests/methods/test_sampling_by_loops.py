"""Pooling, clip weights, discrepancies and pseudo-labels equal plain loops, at sizes that no fixture has."""

import math

import numpy as np
import pytest
import torch

from tests.support.training.plain_loops import Array, as_tensor, assert_equals_loops, rounded, softmax
from train.data.sampling import ClipWeights
from train.methods.stochastic_softmax.pooling import SoftmaxPooling
from train.methods.subject_msda.loss import coral, mmd, select_pseudo_labels

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def normal(seed: int, *shape: int) -> Array:
    (values,) = rounded(np.random.default_rng(seed).normal(size=shape))
    return values


@both_types
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 7.0])
@pytest.mark.parametrize(
    ("batch", "classes", "length", "frames"), [(1, 2, 1, 1), (3, 7, 20, 16), (2, 4, 5, 8), (2, 3, 33, 1)]
)
def test_softmax_pooling(batch: int, classes: int, length: int, frames: int, beta: float, dtype: torch.dtype) -> None:
    scores = 2 * normal(length, batch, classes, length)
    width = min(frames, length)
    clips = np.array(
        [[[max(row[start : start + width]) for start in range(length - width + 1)] for row in one] for one in scores]
    )
    pooled = (clips * softmax(beta * clips)).sum(axis=2)
    found = SoftmaxPooling(frames, beta=beta)(as_tensor(scores, dtype))
    assert_equals_loops(found.clips, clips)
    assert_equals_loops(found.log_probs, np.log(softmax(pooled)))


@pytest.mark.parametrize(("frames", "exploration", "beta"), [(16, 5, 1.0), (7, 2, 0.5), (1, 3, 2.0), (30, 8, 1.0)])
def test_clip_weights_over_a_simulated_run(frames: int, exploration: int, beta: float) -> None:
    lengths = [1, 7, 16, 31, 90]
    generator = np.random.default_rng(frames)
    sampler = ClipWeights(lengths, frames=frames, warm_up_epochs=2, exploration_epochs=exploration, beta=beta)
    plain = [np.zeros(max(1, length - frames + 1)) for length in lengths]
    for epoch in range(1, 3 + exploration + 6):
        for video, w in enumerate(plain):
            n = len(w)
            start = int(generator.integers(n))
            if 2 < epoch <= 2 + exploration:
                start = math.floor((n - 1) * int(generator.integers(exploration)) / (exploration - 1))
            (score,) = rounded(generator.normal(size=1))
            sampler.update(video, start, float(score[0]), epoch)
            if 2 < epoch <= 2 + exploration:
                reach = math.ceil(max(0, n - exploration) / (exploration - 1) / 2)
                for i in range(max(0, start - reach), min(start + reach, n - 1) + 1):
                    w[i] = score[0]
            elif epoch > 2:
                for i in range(max(0, start - frames), min(start + frames, n)):
                    w[i] += (frames - abs(start - i)) / frames * (score[0] - w[i])
            torch.testing.assert_close(sampler.weights(video).double(), torch.from_numpy(w), rtol=1e-5, atol=1e-6)
            likely = torch.from_numpy(softmax(beta * w))
            torch.testing.assert_close(sampler.probabilities(video).double(), likely, rtol=1e-5, atol=1e-6)


@both_types
@pytest.mark.parametrize(("rows", "others", "width"), [(2, 2, 1), (5, 9, 12), (16, 3, 40), (1, 6, 4)])
def test_the_mean_discrepancies(rows: int, others: int, width: int, dtype: torch.dtype) -> None:
    x, y = normal(rows, rows, width), normal(others, others, width) + 0.5
    both = np.concatenate([x, y])
    count = len(both)
    squared = np.array([[sum((p - q) ** 2) for q in both] for p in both])
    base = squared.sum() / (count**2 - count) / 4
    kernels = np.array([[sum(np.exp(-d / (base * 2**q)) for q in range(5)) for d in row] for row in squared])
    expected = kernels[:rows, :rows].mean() + kernels[rows:, rows:].mean() - 2 * kernels[:rows, rows:].mean()
    assert_equals_loops(mmd(as_tensor(x, dtype), as_tensor(y, dtype)), expected)
    shift = sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
    assert_equals_loops(mmd(as_tensor(x, dtype), as_tensor(y, dtype), kernel="linear"), shift)


@both_types
@pytest.mark.parametrize(("rows", "others", "width"), [(2, 2, 1), (5, 9, 12), (16, 3, 40)])
def test_the_distance_of_covariances(rows: int, others: int, width: int, dtype: torch.dtype) -> None:
    x, y = normal(rows, rows, width), normal(others, others, width)

    def covariance(z: Array) -> Array:
        total = z.sum(axis=0, keepdims=True)
        return np.asarray((z.T @ z - total.T @ total / len(z)) / (len(z) - 1))

    difference = covariance(x) - covariance(y)
    norm = math.sqrt(sum(value**2 for value in difference.ravel()))
    assert_equals_loops(coral(as_tensor(x, dtype), as_tensor(y, dtype)), norm / (4 * width**2))


@both_types
@pytest.mark.parametrize(("rows", "classes", "threshold"), [(1, 2, 0.0), (60, 2, 0.9), (40, 7, 0.5), (5, 3, 0.9999)])
def test_the_pseudo_labels(rows: int, classes: int, threshold: float, dtype: torch.dtype) -> None:
    plain, flipped = 3 * normal(rows, rows, classes), 3 * normal(rows + 1, rows, classes)
    kept = []
    for row in range(rows):
        first, second = softmax(plain[row]), softmax(flipped[row])
        confidence = (first.max() + second.max()) / 2
        if confidence > threshold:
            kept.append((row, confidence, (first if first.max() > second.max() else second).argmax()))
    index, confidence_, label = select_pseudo_labels(as_tensor(plain, dtype), as_tensor(flipped, dtype), threshold)
    assert index.tolist() == [one[0] for one in kept]
    assert label.tolist() == [one[2] for one in kept]
    assert_equals_loops(confidence_, np.array([one[1] for one in kept]))
