"""From predictions to the estimates of one stream."""

import math
from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Prediction
from streamaffect.feed.wire import decode, encode
from streamaffect.messages import Estimate
from streamaffect.runtime.bundle import load_bundle
from streamaffect.types import Box, Face, Frame, Sighting, Sightings
from tests.support.bundles import QUANTILE, SIZE, SPREAD, write_bundle

CROP = np.zeros((SIZE, SIZE, 3), np.uint8)
NAN = float("nan")


@pytest.fixture
def assembler(tmp_path: Path) -> Assembler:
    return Assembler("cam", load_bundle(write_bundle(tmp_path / "bundle", past=1)))


@pytest.fixture
def refining(tmp_path: Path) -> Assembler:
    """Clips of 0.32 s, one of the future."""
    return Assembler("cam", load_bundle(write_bundle(tmp_path / "bundle", past=1, future=1)))


def prediction(
    track: int = 0,
    time_s: float = 0.0,
    *,
    affect: tuple[float, float] = (0.25, -0.5),
    spread: float = SPREAD,
    fill: float = 1.0,
    lookahead_s: float = 0.0,
) -> Prediction:
    heads = {
        "affect": np.array(affect, np.float32),
        "affect_spread": np.full(2, spread, np.float32),
        "emotions": np.array([0.5, 0.25, 0.25], np.float32),
    }
    return Prediction(("cam", track), time_s, heads, coverage=0.75, context_fill=fill, lookahead_s=lookahead_s)


def nothing_seen(time_s: float = 0.0) -> Prediction:
    return Prediction(("cam", 0), time_s, heads={}, coverage=0.0, context_fill=0.0)


def sighting(track: int = 0, *, visible: bool = True, usable: bool = True) -> Sighting:
    face = Face(Box(0.1, 0.2, 0.3, 0.4), score=0.9)
    return Sighting(track, face, visible, crop=CROP if visible and usable else None, quality=0.8 if visible else None)


def sightings(time_s: float = 0.0, *faces: Sighting) -> Sightings:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, time_s, round(time_s * 1e9), None, pts_s=time_s)
    return Sightings(frame, faces or (sighting(),), (), (), 0, 0)


def assemble(assembler: Assembler, made: Prediction, seen: Sighting | None = None) -> Estimate:
    return assembler.estimate(made, sightings(made.time_s), seen or sighting(made.key[1]))


def test_an_estimate_says_what_was_predicted_where_and_when(assembler: Assembler) -> None:
    estimate = assemble(assembler, prediction(track=3, time_s=1.5))
    half_width = QUANTILE * SPREAD
    assert estimate.valence_interval == pytest.approx((0.25 - half_width, 0.25 + half_width))
    assert estimate.arousal_interval == pytest.approx((-0.5 - half_width, -0.5 + half_width))
    assert (estimate.stream, estimate.track, estimate.valence, estimate.arousal) == ("cam", 3, 0.25, -0.5)
    assert (estimate.t_capture_ns, estimate.t_publish_ns, estimate.pts_s) == (1_500_000_000, 1_500_000_000, 1.5)
    assert (estimate.coverage, estimate.context_fill, estimate.lookahead_s, estimate.refines) == (0.75, 1.0, 0.0, None)
    assert (estimate.box, estimate.face_score, estimate.quality) == (Box(0.1, 0.2, 0.3, 0.4), 0.9, 0.8)
    assert estimate.outputs == {"emotions": {"red": 0.5, "green": 0.25, "blue": 0.25}}
    assert (estimate.model, estimate.latency_ms, estimate.status) == ("colours@1.0", {}, "ok")


def test_estimates_of_all_tracks_are_numbered_together_and_without_gaps(assembler: Assembler) -> None:
    made = [assemble(assembler, prediction(track, i)) for i in range(3) for track in (4, 2)]
    assert [estimate.seq for estimate in made] == [0, 1, 2, 3, 4, 5]


def test_a_context_that_is_not_full_yet_is_warming(assembler: Assembler) -> None:
    assert assemble(assembler, prediction(fill=0.5)).status == "warming"


def test_a_context_is_full_when_only_the_future_is_missing(refining: Assembler) -> None:
    assert assemble(refining, prediction(fill=1 / 3)).status == "warming"
    assert assemble(refining, prediction(time_s=1, fill=2 / 3)).status == "ok"


def test_a_hidden_face_is_held_with_its_values(assembler: Assembler) -> None:
    estimate = assemble(assembler, prediction(), sighting(visible=False))
    assert (estimate.status, estimate.valence, estimate.quality) == ("held", 0.25, None)


@pytest.mark.parametrize(
    ("made", "seen"),
    [
        pytest.param(prediction(), sighting(usable=False), id="shown too poorly"),
        pytest.param(nothing_seen(), sighting(usable=False), id="never shown well"),
        pytest.param(nothing_seen(), sighting(visible=False), id="hidden before it was shown well"),
        pytest.param(prediction(affect=(NAN, 0.0)), sighting(), id="value is NaN"),
        pytest.param(prediction(affect=(math.inf, 0.0)), sighting(), id="value is infinite"),
        pytest.param(prediction(spread=NAN), sighting(), id="spread is NaN"),
        pytest.param(prediction(affect=(NAN, 0.0)), sighting(visible=False), id="value is NaN, hidden"),
    ],
)
def test_where_nothing_can_be_said_it_abstains_without_any_value(
    assembler: Assembler, made: Prediction, seen: Sighting
) -> None:
    estimate = assemble(assembler, made, seen)
    assert estimate.status == "abstain"
    assert (estimate.valence, estimate.arousal, estimate.valence_interval, estimate.arousal_interval) == (None,) * 4
    assert estimate.outputs == {}
    assert decode(encode(estimate)) == estimate


def test_what_a_graph_overshoots_is_published_within_the_range(assembler: Assembler) -> None:
    estimate = assemble(assembler, prediction(affect=(3.0, -1.1), spread=100.0))
    assert (estimate.valence, estimate.arousal) == (1.0, -1.0)
    assert estimate.valence_interval == (-1.0, 1.0)


def test_a_refinement_replaces_values_and_keeps_the_rest(refining: Assembler) -> None:
    first = assemble(refining, prediction(time_s=1.0, fill=2 / 3))
    assemble(refining, prediction(time_s=1.32, fill=2 / 3))
    refined = refining.refinement(prediction(time_s=1.0, affect=(0.5, 0.0), lookahead_s=0.32))
    assert refined is not None
    assert (refined.seq, refined.refines, refined.lookahead_s) == (2, first.seq, 0.32)
    assert (refined.valence, refined.arousal, refined.context_fill) == (0.5, 0.0, 1.0)
    assert refined.valence_interval == pytest.approx((0.5 - QUANTILE * SPREAD, 0.5 + QUANTILE * SPREAD))
    assert (refined.t_capture_ns, refined.pts_s, refined.box) == (first.t_capture_ns, first.pts_s, first.box)
    assert (refined.status, refined.coverage) == (first.status, first.coverage)


def test_an_estimate_is_refined_once(refining: Assembler) -> None:
    assemble(refining, prediction(time_s=1.0))
    assert refining.refinement(prediction(time_s=1.0, lookahead_s=0.32)) is not None
    assert refining.refinement(prediction(time_s=1.0, lookahead_s=0.32)) is None


def test_two_tracks_at_one_time_are_refined_apart(refining: Assembler) -> None:
    for track in (0, 1):
        assemble(refining, prediction(track, 1.0))
    refined = [refining.refinement(prediction(track, 1.0, lookahead_s=0.32)) for track in (1, 0)]
    assert [estimate.refines for estimate in refined if estimate is not None] == [1, 0]


def test_what_abstained_is_not_refined(refining: Assembler) -> None:
    assemble(refining, prediction(), sighting(usable=False))
    assert refining.refinement(prediction(lookahead_s=0.32)) is None


def test_a_refinement_that_is_no_number_is_not_published(refining: Assembler) -> None:
    assemble(refining, prediction())
    assert refining.refinement(prediction(affect=(NAN, 0.0), lookahead_s=0.32)) is None


def test_a_lost_track_is_not_refined_and_others_are(refining: Assembler) -> None:
    for track in (0, 1):
        assemble(refining, prediction(track))
    refining.forget(("cam", 0))
    refining.forget(("cam", 99))
    assert refining.refinement(prediction(0, lookahead_s=0.32)) is None
    assert refining.refinement(prediction(1, lookahead_s=0.32)) is not None


@pytest.mark.parametrize("usable", [True, False])
def test_estimates_that_are_never_refined_do_not_pile_up(refining: Assembler, usable: bool) -> None:
    """As where a track starts anew again and again before its future has come, or is never shown well."""
    for i in range(1000):
        assemble(refining, prediction(time_s=i * 0.1), sighting(usable=usable))
    kept = sum(len(waiting) for waiting in refining._provisional.values())
    assert kept <= 2 * 0.32 / 0.1 + 1
