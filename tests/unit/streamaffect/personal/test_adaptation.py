from typing import Any

import numpy as np
import pytest

from streamaffect.errors import RecordingError
from streamaffect.personal.adaptation import WIDTHS, adapt, confident_rows, discrepancy_gradient
from streamaffect.personal.clips import PersonClips
from streamaffect.personal.sources import Sources, read_sources
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle)


@pytest.fixture(scope="module")
def sources(bundle: Bundle) -> Sources:
    return read_sources(bundle)


def discrepancy(source: Matrix, target: Matrix, base: float) -> float:
    """By loops, with kernels of given widths."""

    def kernel(x: Matrix, y: Matrix) -> float:
        return sum(float(np.exp(-((x - y) ** 2).sum() / (base * width))) for width in WIDTHS)

    def mean(one: Matrix, other: Matrix) -> float:
        return float(np.mean([[kernel(x, y) for y in other] for x in one]))

    return mean(source, source) + mean(target, target) - 2 * mean(source, target)


def test_the_gradient_is_that_of_the_discrepancy_by_differences() -> None:
    random = np.random.default_rng(0)
    source, target = random.normal(size=(6, 3)), random.normal(0.5, 1.5, size=(5, 3))
    rows = np.concatenate([source, target])
    base = sum(((x - y) ** 2).sum() for x in rows for y in rows) / (len(rows) ** 2 - len(rows))
    found = discrepancy_gradient(source, target)
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-5
        up, down = discrepancy(source, target + step, base), discrepancy(source, target - step, base)
        assert found[axis] == pytest.approx((up - down) / 2e-5, abs=1e-8)


def clips_of(rows: Matrix, contexts: int) -> PersonClips:
    """Clips that are their own context."""
    plain = rows.astype(np.float32)
    context = np.repeat(plain[:, None], contexts, axis=1)
    return PersonClips(plain, context, np.ones((len(rows), contexts), bool), plain, context)


def test_somebody_whose_clips_are_shifted_is_brought_back(
    bundle: Bundle, engine: OnnxRuntimeEngine, sources: Sources
) -> None:
    random = np.random.default_rng(1)
    shares = np.zeros(len(sources.labels))
    shares[sources.labels.index("happiness")] = 1.0
    offset = random.normal(size=bundle.clip_dim)
    offset *= 0.3 * np.sqrt(sources.variance) / np.linalg.norm(offset)
    rows = sources.draw(shares, 200, random) + offset
    adapted = adapt(clips_of(rows, bundle.manifest.context.clips), bundle, engine, sources)
    towards = float(adapted.shift @ -offset / np.linalg.norm(offset) / np.linalg.norm(adapted.shift))
    assert towards > 0.6
    assert 0 < np.linalg.norm(adapted.shift + offset) < np.linalg.norm(offset)
    calibration = bundle.manifest.heads[0].calibration
    assert calibration is not None
    assert all(adapted.quantiles[name] >= calibration.quantiles[name] for name in ("valence", "arousal"))


def test_the_same_clips_give_the_same_vector(bundle: Bundle, engine: OnnxRuntimeEngine, sources: Sources) -> None:
    shares = np.eye(len(sources.labels))[sources.labels.index("happiness")]
    rows = sources.draw(shares, 100, np.random.default_rng(2))
    clips = clips_of(rows, bundle.manifest.context.clips)
    first, again = (adapt(clips, bundle, engine, sources) for _ in range(2))
    np.testing.assert_array_equal(first.shift, again.shift)


def test_a_row_counts_where_both_views_choose_one_class_with_confidence() -> None:
    plain = np.array([[0.7, 0.3], [0.7, 0.3], [0.55, 0.45], [0.1, 0.9]], np.float32)
    mirrored = np.array([[0.6, 0.4], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]], np.float32)
    rows, labels = confident_rows(plain, mirrored)
    assert rows.tolist() == [0, 3]
    assert labels.tolist() == [0, 1]


def test_clips_of_which_nothing_is_sure_teach_nothing(
    bundle: Bundle, engine: OnnxRuntimeEngine, sources: Sources
) -> None:
    rows = np.zeros((30, bundle.clip_dim)) + sources.means[:4].mean(axis=0)
    with pytest.raises(RecordingError, match=r"\d+ of 30 clips are judged with a confidence above 0.6"):
        adapt(clips_of(rows, bundle.manifest.context.clips), bundle, engine, sources)
