"""The two stages between a source and the feed, without threads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator
from streamaffect.clock import monotonic_ns
from streamaffect.faces.crop import crop_face
from streamaffect.messages import Estimate, Event, Message
from streamaffect.pipeline.stages import AffectStage, Batch
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import Frame, Sighting, Sightings
from tests.support.bundles import SIZE, write_bundle
from tests.support.gpu.engines import CountingEngine
from tests.support.scripted import FACE, HEIGHT, WIDTH, ScriptedDetector, make_face_stage, picture

MS = 1_000_000


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle", past=1, future=1))


@pytest.fixture
def engine(bundle: Bundle) -> CountingEngine:
    return CountingEngine(OnnxRuntimeEngine(bundle))


@pytest.fixture
def stage(bundle: Bundle, engine: CountingEngine) -> AffectStage:
    return AffectStage(Estimator(bundle, engine), {name: Assembler(name, bundle) for name in ("a", "b")})


def frame(time_s: float, image: np.ndarray | None = None) -> Frame:
    return Frame(picture(0) if image is None else image, 0, time_s, round(time_s * 1e9), None, time_s)


def sightings(
    time_s: float,
    *tracks: int,
    born: tuple[int, ...] = (),
    lost: tuple[int, ...] = (),
    grabbed_ns: int | None = None,
) -> Sightings:
    crop = np.full((SIZE, SIZE, 3), 128, np.uint8)
    faces = [Sighting(track, FACE, visible=True, crop=crop, quality=1.0) for track in tracks]
    at = Frame(picture(0), 0, time_s, round(time_s * 1e9), grabbed_ns)
    started_ns = (grabbed_ns or 0) + 2 * MS
    return Sightings(at, faces, born, lost, started_ns, started_ns + 3 * MS)


def estimates(messages: list[Message]) -> list[Estimate]:
    return [message for message in messages if isinstance(message, Estimate)]


def process(stage: AffectStage, batch: Batch) -> list[Message]:
    return list(stage.messages(batch, stage.estimate(batch)))


def described(message: Message) -> tuple[object, ...]:
    if isinstance(message, Event):
        return message.stream, message.event, message.track
    assert isinstance(message, Estimate)
    return message.stream, message.track, message.seq


def test_a_face_in_view_comes_with_the_crop_that_the_bundle_asks_for(bundle: Bundle) -> None:
    stage = make_face_stage(bundle, ScriptedDetector())
    found = stage.look(frame(0.0))
    [seen] = found.faces
    assert (seen.track, seen.visible, found.born, found.lost) == (0, True, [0], [])
    assert seen.crop is not None
    np.testing.assert_array_equal(seen.crop, crop_face(picture(0), seen.face, bundle.manifest.crop))
    assert seen.quality is not None
    assert 0 < seen.quality <= FACE.score
    assert found.started_ns <= found.ended_ns


def test_a_hidden_face_has_no_crop_and_is_lost_in_the_end(bundle: Bundle) -> None:
    stage = make_face_stage(bundle, ScriptedDetector(lambda time_s: [FACE] if time_s < 0.1 else []), keep_s=0.3)
    stage.look(frame(0.0))
    [hidden] = stage.look(frame(0.2)).faces
    assert (hidden.visible, hidden.crop, hidden.quality) == (False, None, None)
    gone = stage.look(frame(0.4))
    assert (gone.faces, gone.lost) == ([], [0])


def test_a_face_below_the_bundles_quality_has_no_crop_but_says_its_quality(tmp_path: Path) -> None:
    strict = load_bundle(write_bundle(tmp_path / "strict", abstain_below=0.5))
    stage = make_face_stage(strict, ScriptedDetector())
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    [poor] = stage.look(frame(0.0, flat)).faces
    assert (poor.visible, poor.crop, poor.flaw) == (True, None, "sharpness")
    assert poor.quality is not None
    assert poor.quality < 0.5


def test_a_face_whose_way_up_nobody_knows_has_no_crop(bundle: Bundle) -> None:
    stage = make_face_stage(bundle, ScriptedDetector(lambda _: [replace(FACE, doubtful=True)]))
    [doubtful] = stage.look(frame(0.0)).faces
    assert (doubtful.visible, doubtful.crop, doubtful.flaw) == (True, None, "turned")


def test_closing_the_face_stage_closes_its_detector(bundle: Bundle) -> None:
    detector = ScriptedDetector()
    make_face_stage(bundle, detector).close()
    assert detector.closed.is_set()


def test_a_track_is_born_before_and_lost_after_its_estimates(stage: AffectStage) -> None:
    messages = process(stage, [("a", sightings(0.0, 1, 2, born=(1, 2), lost=(0,)))])
    assert [described(message) for message in messages] == [
        ("a", "track_born", 1),
        ("a", "track_born", 2),
        ("a", 1, 0),
        ("a", 2, 1),
        ("a", "track_lost", 0),
    ]
    assert all(event.t_ns == 0 for event in messages if isinstance(event, Event))


def test_streams_share_batches_and_keep_their_own_numbers(stage: AffectStage, engine: CountingEngine) -> None:
    batch = [("b", sightings(7.0, 5, 6)), ("a", sightings(0.0, 1))]
    messages = process(stage, batch)
    assert [described(message) for message in messages] == [("b", 5, 0), ("b", 6, 1), ("a", 1, 0)]
    assert engine.frame_batches == [3]
    assert [estimate.t_capture_ns for estimate in estimates(messages)] == [7 * 10**9, 7 * 10**9, 0]


def test_a_frame_without_faces_says_nothing(stage: AffectStage, engine: CountingEngine) -> None:
    assert process(stage, [("a", sightings(0.0))]) == []
    assert engine.frame_batches == []


def test_refinements_follow_in_the_stream_that_they_belong_to(stage: AffectStage) -> None:
    process(stage, [("a", sightings(0.0, 1)), ("b", sightings(0.0, 1))])
    messages = estimates(process(stage, [("a", sightings(0.1, 1)), ("b", sightings(0.32, 1))]))
    assert [(made.stream, made.seq, made.refines) for made in messages] == [("a", 1, None), ("b", 1, None), ("b", 2, 0)]
    assert messages[2].t_capture_ns == 0


def test_a_lost_track_is_forgotten(stage: AffectStage) -> None:
    process(stage, [("a", sightings(0.0, 1))])
    process(stage, [("a", sightings(0.1, lost=(1,)))])
    [made] = estimates(process(stage, [("a", sightings(0.16, 1))]))
    assert made.coverage == 0.25  # with the first frame it would be half


def test_what_is_read_offline_has_no_latency(stage: AffectStage) -> None:
    [made] = estimates(process(stage, [("a", sightings(1.5, 1))]))
    assert made.latency_ms == {}
    assert made.t_publish_ns == made.t_capture_ns


def test_what_is_live_says_how_long_each_stage_took(stage: AffectStage) -> None:
    grabbed_ns = monotonic_ns()
    [made] = estimates(process(stage, [("a", sightings(1.5, 1, grabbed_ns=grabbed_ns))]))
    latency_ms = made.latency_ms
    assert list(latency_ms) == ["capture", "faces", "encode", "clip", "total"]
    assert (latency_ms["capture"], latency_ms["faces"]) == (2.0, 3.0)
    assert latency_ms["total"] >= latency_ms["encode"] + latency_ms["clip"] > 0
    assert made.t_publish_ns == 0  # a sink will publish it


def test_the_latency_of_a_refinement_counts_from_its_own_capture(stage: AffectStage) -> None:
    grabbed_ns = monotonic_ns()
    process(stage, [("a", sightings(0.0, 1, grabbed_ns=grabbed_ns))])
    *_, refined = estimates(process(stage, [("a", sightings(0.32, 1, grabbed_ns=grabbed_ns))]))
    assert refined.refines == 0
    assert refined.latency_ms["total"] >= 320
