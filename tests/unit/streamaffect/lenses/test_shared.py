from collections.abc import Sequence

import numpy as np
import pytest

from streamaffect.lenses.graph import GraphLens
from streamaffect.lenses.shared import SharedLens
from streamaffect.lenses.view import Reading, View
from streamaffect.messages import HeadMeta
from streamaffect.pipeline.opening import open_lens_parts
from streamaffect.runtime.bundle import load_bundle
from streamaffect.settings import LensSettings


class Counting:
    """A lens that says how many faces it had seen before."""

    inputs = ("features",)
    rate_hz = 0.0
    meta = HeadMeta(name="counting", kind="scores", outputs=[], lens="counting@1")

    def __init__(self) -> None:
        self.seen = 0

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        self.seen += len(views)
        return [Reading({"before": float(self.seen - len(views) + i)}) for i in range(len(views))]


def view(track: int, time_s: float = 0.0) -> View:
    return View(("cam", track), time_s, {"features": np.zeros(3, np.float32)})


def said(readings: Sequence[Reading | None]) -> list[float]:
    return [reading.values["before"] for reading in readings if reading is not None]


def test_who_asks_second_about_the_same_faces_hears_what_was_said_and_nothing_is_computed() -> None:
    lens = Counting()
    shared, faces = SharedLens(lens), [view(0), view(1)]
    assert said(shared.look(faces)) == said(shared.look(list(faces))) == [0, 1]
    assert said(shared.look(faces[1:])) == [1]
    assert lens.seen == 2


def test_the_next_picture_of_a_face_is_looked_at_though_its_numbers_are_the_same() -> None:
    lens = Counting()
    shared, first = SharedLens(lens), view(0)
    shared.look([first])
    assert said(shared.look([first, view(1)])) == [0, 1]
    assert said(shared.look([view(0, 0.04)])) == [2]


@pytest.mark.parametrize("weak", [False, True])
def test_prompts_say_beside_the_action_units_what_they_say_alone_and_ask_the_same_ones(
    weak: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, prompts, chance = load_bundle(), "about to cry; beaming with joy", np.random.default_rng(0)
    rows = {"map": chance.random((128, 8, 8), np.float32), "emotions": chance.dirichlet(np.ones(8)).astype(np.float32)}
    face = [View(("cam", 0), 0.0, rows)]
    (alone,) = open_lens_parts(bundle, LensSettings(prompts=prompts, weak=weak))
    units, beside = open_lens_parts(bundle, LensSettings(use=["units"], prompts=prompts, weak=weak))
    expected = alone.look(face)
    units.look(face)
    if not weak:  # the bank knows none of the weak ones, so that prompts have units of their own then
        monkeypatch.setattr(GraphLens, "look", None)
    assert beside.look(face) == expected
