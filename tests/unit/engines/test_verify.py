"""Verification: equal engines pass, and each way of being wrong is refused by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engines.crops import FaceClip
from engines.verify import compare, concordance
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine import Engine, EngineInfo
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import BoolArray, FloatArray, ImageArray
from tests.support.bundles import SIZE, write_bundle

Change = Callable[[FloatArray], FloatArray]


@dataclass
class ChangedEngine:
    """An engine whose published values of one head are altered."""

    engine: Engine
    change: Change
    head: str = "affect"

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        return self.engine.encode_frames(crops)

    def encode_clips(self, features: FloatArray) -> FloatArray:
        return self.engine.encode_clips(features)

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        heads = self.engine.run_heads(clip, context, valid)
        return heads | {self.head: self.change(heads[self.head])}

    def close(self) -> None:
        self.engine.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def clips() -> list[FaceClip]:
    """Two clips whose colours wander over half of their range."""
    phases = np.linspace(0, 9, 60)
    colours = np.stack([np.sin(phases + shift) for shift in range(3)], axis=1) * 60 + 128
    crops = np.broadcast_to(colours[:, None, None, :], (60, SIZE, SIZE, 3)).astype(np.uint8)
    return [FaceClip(part, [i * 0.08 for i in range(30)]) for part in (crops[:30], crops[30:])]


def compare_with(bundle: Bundle, clips: list[FaceClip], change: Change, head: str = "affect") -> list[str]:
    reference = OnnxRuntimeEngine(bundle)
    return compare(bundle, reference, ChangedEngine(reference, change, head), clips, origin="colours").failures


def test_an_engine_that_gives_the_same_numbers_passes(bundle: Bundle, clips: list[FaceClip]) -> None:
    reference = OnnxRuntimeEngine(bundle)
    comparison = compare(bundle, reference, reference, clips, origin="colours")
    report = comparison.report("0" * 64)
    assert report.passed
    assert report.steps == 60
    assert set(report.graphs) == {
        "frame_encoder",
        "clip_encoder",
        "context_head.affect",
        "context_head.affect_spread",
        "context_head.emotions",
    }
    assert max(deviation.max for deviation in report.graphs.values()) < 1e-4  # sums round differently in a batch
    valence = next(check for check in report.outputs if check.output == "valence")
    assert valence.deviation.max == 0
    assert valence.ccc_change == pytest.approx(0, abs=1e-12)


def test_a_small_noise_passes_and_is_reported(bundle: Bundle, clips: list[FaceClip]) -> None:
    rng = np.random.default_rng(0)

    def noisy(values: FloatArray) -> FloatArray:
        return values + rng.normal(0, 0.002, values.shape).astype(np.float32)

    assert compare_with(bundle, clips, noisy) == []


def test_values_that_are_shrunk_are_refused_for_their_ccc(bundle: Bundle, clips: list[FaceClip]) -> None:
    failures = compare_with(bundle, clips, lambda values: values * 0.85)
    assert any(failure.startswith("affect.valence: CCC changes by") for failure in failures)


def test_a_few_wild_values_are_refused_for_their_p99(bundle: Bundle, clips: list[FaceClip]) -> None:
    calls = iter(range(10_000))

    def wild(values: FloatArray) -> FloatArray:
        return values + (0.2 if next(calls) % 20 == 0 else 0.0)

    failures = compare_with(bundle, clips, wild)
    assert any("affect.valence: p99" in failure for failure in failures)


def test_numbers_that_are_not_finite_are_refused(bundle: Bundle, clips: list[FaceClip]) -> None:
    failures = compare_with(bundle, clips, lambda values: values * np.nan)
    assert "affect.arousal: the candidate gives numbers that are not finite" in failures


def test_an_output_that_hardly_varies_is_judged_by_its_deviation_alone(bundle: Bundle, clips: list[FaceClip]) -> None:
    reference = OnnxRuntimeEngine(bundle)
    candidate = ChangedEngine(reference, lambda values: values + 0.2, "affect_spread")
    comparison = compare(bundle, reference, candidate, clips, origin="colours")
    spread = next(check for check in comparison.outputs if check.head == "affect_spread")
    assert spread.ccc_change is None
    assert any(failure.startswith("affect_spread.valence: p99") for failure in comparison.failures)


def test_concordance_is_lins() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])
    assert concordance(a, a) == pytest.approx(1)
    assert concordance(a, b) == pytest.approx(2 * (2 / 3) / (2 / 3 + 2 / 3 + 1))
    assert math.copysign(1, concordance(a, -a)) == -1
