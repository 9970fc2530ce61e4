import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.lenses.desk import LensDesk
from streamaffect.lenses.graph import GraphLens
from streamaffect.lenses.loading import read_lens
from streamaffect.lenses.view import Reading, View
from streamaffect.messages import HeadMeta
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import ImageArray
from tests.support.bundles import SIZE, write_bundle, write_lens
from tests.support.gpu.engines import PositionalEngine

FACE = ("cam", 0)


@dataclass
class Scripted:
    """A lens that says how often it was asked, or fails."""

    inputs: Sequence[str] = ("features",)
    rate_hz: float = 0.0
    fails: bool = False
    looked_s: list[float] = field(default_factory=list)

    @property
    def meta(self) -> HeadMeta:
        return HeadMeta(name="scripted", kind="scores", outputs=[], lens="scripted@1")

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        if self.fails:
            raise RuntimeError("no memory\nhere")
        self.looked_s += [view.time_s for view in views]
        return [Reading({"times": float(len(self.looked_s))}) for _ in views]


def view(time_s: float, *inputs: str, track: int = 0) -> View:
    return View(("cam", track), time_s, {name: np.zeros(3, np.float32) for name in inputs or ("features",)})


def test_a_lens_with_a_rate_looks_no_more_often_at_each_face() -> None:
    lens = Scripted(rate_hz=10.0)
    desk = LensDesk([lens])
    given = [desk.look([view(i * 0.04), view(i * 0.04, track=1)]) for i in range(6)]  # 0 to 0.2 s
    assert lens.looked_s == pytest.approx([0.0, 0.0, 0.12, 0.12])
    assert [bool(readings[0]) for readings in given] == [True, False, False, True, False, False]


def test_a_face_that_comes_back_after_it_was_lost_is_looked_at_at_once() -> None:
    desk = LensDesk([Scripted(rate_hz=1.0)])
    assert desk.look([view(0.0)])[0]
    desk.forget(FACE)
    assert desk.look([view(0.1)])[0]


def test_a_face_that_is_hidden_is_not_spoken_of_by_a_lens_that_reads_its_features() -> None:
    desk = LensDesk([Scripted()])
    assert desk.look([view(0.0, "clip", "emotions")]) == [{}]


def test_a_lens_that_fails_is_said_once_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    broken = Scripted(fails=True)
    desk = LensDesk([broken, Scripted()])
    with caplog.at_level(logging.WARNING):
        first, second = desk.look([view(0.0)]), desk.look([view(0.1)])
    assert [list(readings) for readings in (*first, *second)] == [["scripted"], ["scripted"]]
    assert [record.message for record in caplog.records] == [
        "the lens scripted has failed and is left out from now on: no memory"
    ]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


def crop(red: int, green: int, blue: int) -> ImageArray:
    return np.full((SIZE, SIZE, 3), (red, green, blue), np.uint8)


@pytest.mark.parametrize("reads", ["features", "clip"])
def test_a_graph_gives_values_and_intervals_within_their_range(bundle: Bundle, tmp_path: Path, reads: str) -> None:
    lens = GraphLens(read_lens(write_lens(tmp_path / "colours", bundle.path, reads=reads)))
    estimator = Estimator(bundle, OnnxRuntimeEngine(bundle), [lens])
    (prediction,) = estimator.step([Observation(FACE, 0.0, crop(51, 255, 0))]).predictions
    reading = prediction.lenses["colours"]
    assert reading.values == pytest.approx({"red": 0.4, "green": 1.0}, abs=1e-4)  # twice 0.2; twice 1, clipped
    assert reading.intervals["red"] == pytest.approx((0.2, 0.6), abs=1e-4)  # ± quantile · spread = ± 0.2
    assert reading.intervals["green"] == pytest.approx((1.0, 1.0), abs=1e-4)


def test_weak_outputs_are_given_when_they_are_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    lens = GraphLens(read_lens(write_lens(tmp_path / "colours", bundle.path)), weak=True)
    assert [output["name"] for output in lens.meta.outputs] == ["red", "green", "blue"]


def test_a_batch_of_faces_keeps_its_order_and_the_hidden_one_has_no_reading(bundle: Bundle, tmp_path: Path) -> None:
    lens = GraphLens(read_lens(write_lens(tmp_path / "colours", bundle.path)))
    estimator = Estimator(bundle, OnnxRuntimeEngine(bundle), [lens])
    faces = [Observation(("cam", i), 0.0, None if i == 1 else crop(51 * i, 0, 0)) for i in range(3)]
    found = [prediction.lenses for prediction in estimator.step(faces).predictions]
    assert [bool(readings) for readings in found] == [True, False, True]
    assert [found[i]["colours"].values["red"] for i in (0, 2)] == pytest.approx([0.0, 0.8], abs=1e-4)


def test_an_engine_without_the_map_is_helped_by_a_second_look_and_keeps_its_own_features() -> None:
    """The engine's answers are its own, bit by bit; what the lens reads comes from the bundle's graph."""
    shipped = load_bundle()

    class Without(OnnxRuntimeEngine):
        gives_map = False

    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    seen: dict[str, list[np.ndarray]] = {}

    class Watching(Scripted):
        inputs = ("map",)

        def look(self, views: Sequence[View]) -> list[Reading | None]:
            seen.setdefault(self.name, []).extend(one.inputs["map"] for one in views)
            return super().look(views)

        name = ""

    for name, engine in (("with", OnnxRuntimeEngine(shipped)), ("without", Without(shipped))):
        lens = Watching()
        lens.name = name
        estimator = Estimator(shipped, engine, [lens])
        estimator.step([Observation(("cam", i), 0.0, one) for i, one in enumerate(crops)])
    np.testing.assert_array_equal(seen["with"], seen["without"])


def test_the_features_of_other_engines_are_read_as_they_are(bundle: Bundle, tmp_path: Path) -> None:
    lens = GraphLens(read_lens(write_lens(tmp_path / "colours", bundle.path)))
    step = Estimator(bundle, PositionalEngine(bundle), [lens]).step([Observation(FACE, 0.0, crop(51, 0, 0))])
    assert step.predictions[0].lenses
