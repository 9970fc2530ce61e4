"""Stills against a plain oracle: a clip of equal frames, a context of that clip alone, the mean over the looks."""

from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.still import StillAnalyser
from streamaffect.faces.crop import crop_face
from streamaffect.faces.looks import looks
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.types import Box, Face, FloatArray, ImageArray
from tests.support.bundles import write_bundle
from tests.support.gpu.engines import PositionalEngine
from tests.support.scripted import FACE, HEIGHT, WIDTH, ScriptedDetector, picture

FACES = [FACE, Face(Box(0.1, 0.2, 0.4, 0.4), score=0.5)]


@pytest.fixture(params=[0, 1], ids=["past alone", "past and future"])
def bundle(tmp_path: Path, request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle", past=2, future=request.param))


def analyser(bundle: Bundle, faces: list[Face]) -> StillAnalyser:
    return StillAnalyser(bundle, PositionalEngine(bundle), ScriptedDetector(lambda _: faces))


def affect_of_equal_frames(bundle: Bundle, crops: ImageArray) -> FloatArray:
    """(N, S, S, 3) → (N, 2), without the estimator."""
    engine, clip, context = PositionalEngine(bundle), bundle.manifest.clip, bundle.manifest.context
    features = np.repeat(engine.encode_frames(crops)[:, None], clip.frames, axis=1)
    vectors = engine.encode_clips(features)
    valid = np.zeros((len(crops), context.clips), np.bool_)
    valid[:, context.past] = True
    return engine.run_heads(vectors, np.repeat(vectors[:, None], context.clips, axis=1), valid)["affect"]


def test_a_still_is_a_clip_of_equal_frames_averaged_over_its_looks(bundle: Bundle) -> None:
    image = picture(3)
    found = analyser(bundle, FACES).estimate(image, None)
    crops = np.stack([crop_face(image, face, bundle.manifest.crop) for face in FACES])
    expected = np.mean([affect_of_equal_frames(bundle, view) for view in looks(crops)], axis=0)
    assert [(estimate.valence, estimate.arousal) for estimate in found] == [tuple(row) for row in expected.tolist()]


def test_each_face_is_a_track_of_its_own_that_was_seen_in_full_and_has_no_past(bundle: Bundle) -> None:
    found = analyser(bundle, FACES).estimate(picture(3), None)
    assert [(estimate.track, estimate.seq, estimate.box) for estimate in found] == [
        (i, i, face.box) for i, face in enumerate(FACES)
    ]
    share = 1 / bundle.manifest.context.clips
    assert {(estimate.coverage, estimate.context_fill, estimate.status) for estimate in found} == {(1.0, share, "ok")}
    assert {(estimate.t_capture_ns, estimate.t_publish_ns, estimate.pts_s) for estimate in found} == {(0, 0, None)}


def test_one_picture_leaves_nothing_behind_for_the_next(bundle: Bundle) -> None:
    used = analyser(bundle, FACES)
    used.estimate(picture(1), None)
    assert used.estimate(picture(2), None) == analyser(bundle, FACES).estimate(picture(2), None)


def test_a_face_that_is_shown_too_poorly_has_no_values(tmp_path: Path) -> None:
    strict = load_bundle(write_bundle(tmp_path / "strict", abstain_below=0.5))
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    [poor] = analyser(strict, [FACE]).estimate(flat, None)
    assert (poor.status, poor.valence, poor.outputs) == ("abstain", None, {})
    assert poor.quality is not None
    assert poor.quality < 0.5


def test_a_picture_without_a_face_has_no_estimate(bundle: Bundle) -> None:
    assert analyser(bundle, []).estimate(picture(0), None) == []
