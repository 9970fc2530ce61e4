"""Faces that are hidden while their voice goes on, with the fusion that ships."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from streamaffect.runtime.bundle import load_bundle
from streamaffect.types import VoiceReading
from streamaffect.voice.hidden import IN_VIEW, Glimpse, HiddenFaces
from streamaffect.voice.joint import HEARD, JointFusion, StepWindow, default_fusion_path, open_fusion
from streamaffect.voice.prosody import FEATURES

DIM = load_bundle().clip_dim
CLIP = np.random.default_rng(0).normal(size=DIM).astype(np.float32)
PROSODY = np.ones(len(FEATURES), np.float32)
SPEAKS = VoiceReading(0.8, 0.7, (0.2, 1.0), prosody=PROSODY)


@pytest.fixture(scope="module")
def fusion() -> JointFusion:
    found = open_fusion(load_bundle())
    assert found is not None
    return found


def glimpse(time_s: float, *, seen: bool, reading: VoiceReading | None = SPEAKS) -> Glimpse:
    return Glimpse(time_s, CLIP, 1.0 if seen else 0.0, seen, reading)


def test_a_face_in_view_has_nothing_else_to_be_asked(fusion: JointFusion) -> None:
    assert HiddenFaces(fusion).look(0, glimpse(0.0, seen=True)) is IN_VIEW


def test_since_when_a_face_is_hidden_is_known_of_each_track() -> None:
    faces = HiddenFaces()
    for track, last_s in ((0, 1.0), (1, 2.0)):
        faces.look(track, glimpse(last_s, seen=True))
    assert [faces.look(track, glimpse(3.0, seen=False)).hidden_s for track in (0, 1)] == [2.0, 1.0]
    faces.forget(0)
    assert faces.look(0, glimpse(3.5, seen=False)).hidden_s == 0.0


def test_a_hidden_face_is_spoken_of_by_the_fusion_while_its_voice_goes_on(fusion: JointFusion) -> None:
    faces = HiddenFaces(fusion)
    faces.look(0, glimpse(0.0, seen=True))
    assert faces.look(0, glimpse(0.64, seen=False, reading=None)).fused is None
    assert faces.look(0, glimpse(1.28, seen=False, reading=VoiceReading(0.1))).fused is None
    fused = faces.look(0, glimpse(1.92, seen=False)).fused
    assert fused is not None
    low, high = fused.arousal_interval
    assert -1 <= low <= fused.arousal <= high <= 1
    widths = fusion.manifest.half_widths
    assert min(high - fused.arousal, fused.arousal - low) <= widths["arousal"] + 1e-6


def test_what_is_not_seen_or_heard_is_never_read(fusion: JointFusion) -> None:
    count = fusion.manifest.steps
    visual, audio = np.tile(CLIP, (count, 1)), np.ones((count, len(fusion.manifest.features)), np.float32)
    heard, seen, valid = np.ones((3, count), np.bool_)
    seen[5:], heard[:5], valid[:2] = False, False, False
    answer = fusion.fuse(StepWindow(visual, audio, heard, seen, valid))
    spoilt = visual.copy(), audio.copy()
    spoilt[0][5:], spoilt[1][:5], spoilt[0][:2] = np.nan, np.nan, np.nan
    assert fusion.fuse(StepWindow(*spoilt, heard, seen, valid)) == answer


def test_the_voice_counts_while_the_face_is_hidden(fusion: JointFusion) -> None:
    count = fusion.manifest.steps
    visual, heard, valid = np.tile(CLIP, (count, 1)), np.ones(count, np.bool_), np.ones(count, np.bool_)
    seen = np.arange(count) < count // 2
    answers = [
        fusion.fuse(
            StepWindow(visual, np.full((count, len(fusion.manifest.features)), level, np.float32), heard, seen, valid)
        ).arousal
        for level in (-30.0, 30.0)
    ]
    assert abs(answers[0] - answers[1]) > 0.05


@pytest.mark.parametrize("names", [FEATURES, HEARD, ("voice_arousal", "pitch")])
def test_a_step_hears_what_the_manifest_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Folders from before the voice model was heard among them."""
    folder = Path(shutil.copytree(default_fusion_path(), tmp_path / "fusion"))
    file = folder / "fusion.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "features": names}))
    reading = VoiceReading(0.8, 0.7, (0.2, 1.0), prosody=np.arange(len(FEATURES), dtype=np.float32))
    found = JointFusion(folder).sound(reading)
    assert found is not None
    expected = dict(zip(HEARD, [*range(len(FEATURES)), 0.7], strict=True))
    assert found.tolist() == pytest.approx([expected[name] for name in names])


def test_a_step_in_which_nobody_speaks_hears_nothing(fusion: JointFusion) -> None:
    assert fusion.sound(None) is None
    assert fusion.sound(VoiceReading(0.1)) is None


def test_the_shipped_fusion_belongs_to_the_shipped_bundle_and_is_small(fusion: JointFusion) -> None:
    assert fusion.belongs_to(load_bundle())
    assert sum(file.stat().st_size for file in default_fusion_path().iterdir()) < 2_000_000
