"""The estimator: what it asks its engine for, and what it makes of it, on a bundle computed by hand."""

from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.estimate import Estimator, Observation, Prediction, TrackKey
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import ImageArray
from tests.support.bundles import SIZE, write_bundle
from tests.support.gpu.engines import CountingEngine

PERIOD_S = 0.08
CLIP_S = 4 * PERIOD_S
KEY = ("cam", 0)
OTHER = ("cam", 1)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def engine(bundle: Bundle) -> CountingEngine:
    return CountingEngine(OnnxRuntimeEngine(bundle))


@pytest.fixture
def estimator(bundle: Bundle, engine: CountingEngine) -> Estimator:
    return Estimator(bundle, engine)


@pytest.fixture
def refining(tmp_path: Path) -> Estimator:
    """One clip of the past, one of the future."""
    bundle = load_bundle(write_bundle(tmp_path / "refining", past=1, future=1))
    return Estimator(bundle, OnnxRuntimeEngine(bundle))


def crop(red: float = 0.0, green: float = 0.0) -> ImageArray:
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[..., 0], picture[..., 1] = round(red * 255), round(green * 255)
    return picture


def see(estimator: Estimator, time_s: float, red: float | None = 0.0, key: TrackKey = KEY) -> list[Prediction]:
    """One step with one track; red None is a hidden face."""
    step = estimator.step([Observation(key, time_s, None if red is None else crop(red))])
    return step.predictions + step.refinements


def valence(prediction: Prediction) -> float:
    return float(prediction.heads["affect"][0])


def test_the_first_frame_already_gives_a_prediction(estimator: Estimator) -> None:
    [prediction] = estimator.step([Observation(KEY, 3.0, crop(red=1.0, green=0.0))]).predictions
    assert prediction.heads["affect"].tolist() == [1.0, -1.0]
    assert (prediction.key, prediction.time_s, prediction.lookahead_s) == (KEY, 3.0, 0.0)
    assert prediction.coverage == 0.25
    assert prediction.context_fill == pytest.approx(1 / 3)


def test_clip_and_context_are_mixed_as_the_bundle_says(estimator: Estimator) -> None:
    for i in range(8):
        [prediction] = see(estimator, i * PERIOD_S, red=float(i >= 4))
    # The newest clip is all red, the one before all black, the third is missing: (1 + mean(1, 0)) / 2 = 0.75.
    assert valence(prediction) == pytest.approx(2 * 0.75 - 1)
    assert prediction.coverage == 1.0
    assert prediction.context_fill == pytest.approx(2 / 3)


def test_a_hidden_face_is_predicted_from_what_was_seen(estimator: Estimator, engine: CountingEngine) -> None:
    for i in range(4):
        see(estimator, i * PERIOD_S, red=1.0)
    [prediction] = see(estimator, 4 * PERIOD_S, red=None)
    assert valence(prediction) == 1.0
    assert prediction.coverage == 0.75
    assert len(engine.crops) == 4


def test_a_track_that_was_never_shown_well_has_no_heads(estimator: Estimator, engine: CountingEngine) -> None:
    assert see(estimator, 0.0, red=None) == [Prediction(KEY, 0.0, {}, coverage=0.0, context_fill=0.0)]
    assert engine.crops == engine.clips == engine.head_batches == []


def test_a_step_without_any_face_asks_the_engine_for_nothing(estimator: Estimator, engine: CountingEngine) -> None:
    assert estimator.step([]).predictions == []
    assert engine.frame_batches == engine.head_batches == []


def test_predictions_come_in_the_order_of_the_observations(estimator: Estimator) -> None:
    see(estimator, 0.0, key=OTHER)
    predictions = estimator.step(
        [
            Observation(("b", 7), 5.0, None),  # never seen
            Observation(KEY, 0.1, crop(red=1.0)),
            Observation(OTHER, 0.1, None),  # hidden
            Observation(("a", 2), 9.0, crop(red=0.0)),
        ]
    ).predictions
    assert [prediction.key for prediction in predictions] == [("b", 7), KEY, OTHER, ("a", 2)]
    assert [len(prediction.heads) for prediction in predictions] == [0, 3, 3, 3]
    assert valence(predictions[1]) == 1.0
    assert valence(predictions[3]) == -1.0


def test_all_faces_of_a_step_share_one_batch(estimator: Estimator, engine: CountingEngine) -> None:
    estimator.step([Observation(("cam", track), 0.0, crop()) for track in range(5)])
    assert engine.frame_batches == [5]
    assert engine.head_batches == [5]


def test_every_crop_and_every_clip_is_encoded_once(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "refining", past=2, future=2))
    engine = CountingEngine(OnnxRuntimeEngine(bundle))
    estimator = Estimator(bundle, engine)
    rng = np.random.default_rng(1)
    crops = [rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8) for _ in range(60)]
    predictions = [
        prediction
        for i, picture in enumerate(crops)
        for step in [estimator.step([Observation(KEY, i * 0.04, picture)])]
        for prediction in step.predictions + step.refinements
    ]
    assert [picture.tobytes() for picture in engine.crops] == [picture.tobytes() for picture in crops]
    assert len(engine.clips) == 60
    assert sum(engine.head_batches) == len(predictions) > 100  # only the heads run again


def test_after_a_gap_longer_than_a_clip_nothing_of_before_counts(estimator: Estimator) -> None:
    for i in range(12):
        see(estimator, i * PERIOD_S, red=1.0)
    [prediction] = see(estimator, 11 * PERIOD_S + CLIP_S + 0.001, red=0.0)
    assert valence(prediction) == -1.0
    assert prediction.coverage == 0.25
    assert prediction.context_fill == pytest.approx(1 / 3)


def test_a_forgotten_track_begins_anew_and_others_go_on(estimator: Estimator) -> None:
    for key in (KEY, OTHER):
        see(estimator, 0.0, red=1.0, key=key)
    estimator.forget(KEY)
    estimator.forget(("nobody", 0))
    [forgotten] = see(estimator, PERIOD_S, red=None)
    [known] = see(estimator, PERIOD_S, red=None, key=OTHER)
    assert forgotten.heads == {}
    assert valence(known) == 1.0


@pytest.mark.parametrize("red", [0.5, None])
def test_a_track_whose_time_does_not_increase_is_an_error(estimator: Estimator, red: float | None) -> None:
    see(estimator, 1.0)
    with pytest.raises(ValueError, match="time must increase"):
        see(estimator, 1.0, red=red)


def test_tracks_of_several_streams_keep_their_own_time(estimator: Estimator) -> None:
    see(estimator, 1000.0, red=1.0, key=("a", 0))
    [prediction] = see(estimator, 0.0, red=0.0, key=("b", 0))
    assert valence(prediction) == -1.0


def test_without_future_nothing_is_refined(estimator: Estimator) -> None:
    assert [len(see(estimator, i * PERIOD_S)) for i in range(20)] == [1] * 20


def test_a_prediction_is_refined_when_its_future_has_come(refining: Estimator) -> None:
    """Black, then red from the fifth frame on: the refined prediction of the fourth has seen the red clip."""
    for i in range(7):
        predictions = see(refining, i * PERIOD_S, red=float(i >= 4))
    first, refined = predictions[0], see(refining, 7 * PERIOD_S, red=1.0)[1]
    assert first.lookahead_s == 0.0
    assert refined.time_s == pytest.approx(3 * PERIOD_S)
    assert refined.lookahead_s == pytest.approx(CLIP_S)
    # Its clip is black; of its context, the past is missing, itself is black, the future red: (0 + 0.5) / 2.
    assert valence(refined) == pytest.approx(2 * 0.25 - 1)
    assert refined.context_fill == pytest.approx(2 / 3)


def test_every_prediction_is_refined_exactly_once_and_in_order(refining: Estimator) -> None:
    refined = [prediction for i in range(30) for prediction in see(refining, i * PERIOD_S)[1:]]
    assert [prediction.time_s for prediction in refined] == pytest.approx([i * PERIOD_S for i in range(26)])


def test_a_future_that_comes_in_one_leap_refines_all_that_waited(refining: Estimator) -> None:
    for i in range(4):
        assert len(see(refining, i * 0.02)) == 1
    _, *refined = see(refining, 0.02 + CLIP_S)
    assert [prediction.time_s for prediction in refined] == [0.0, 0.02]


def test_a_gap_longer_than_a_clip_ends_the_wait_for_the_future(refining: Estimator) -> None:
    see(refining, 0.0)
    assert len(see(refining, CLIP_S + 0.01)) == 1
    assert len(see(refining, 2 * CLIP_S)) == 1


def test_a_hidden_face_after_such_a_gap_does_not_refine_either(refining: Estimator) -> None:
    see(refining, 0.0)
    assert len(see(refining, CLIP_S + 0.01, red=None)) == 1


def test_a_forgotten_track_is_not_refined(refining: Estimator) -> None:
    see(refining, 0.0)
    refining.forget(KEY)
    assert len(see(refining, CLIP_S)) == 1
