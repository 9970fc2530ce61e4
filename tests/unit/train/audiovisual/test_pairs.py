"""Talks that nobody gave: voices beside faces of the same emotion."""

from pathlib import Path

import numpy as np

from streamaffect.types import SOUND_RATE_HZ
from train.audiovisual.pairs import PairedFaces, TalkPlan, hidden_stretches, nearest_spoken, talks
from train.audiovisual.speech import SpeechClip

ANGER, NEUTRAL = 4, 0
FACES = PairedFaces(
    np.arange(8, dtype=np.float32)[:, None],
    np.arange(16, dtype=np.float32).reshape(8, 2),
    np.array([ANGER, NEUTRAL] * 4),
)
PLAN = TalkPlan(count=3, steps=40, step_s=0.64, lasting=0.5)


def clip(emotion: str, level: float) -> tuple[SpeechClip, np.ndarray]:
    """A second whose samples tell which emotion it is."""
    own = SpeechClip(Path("a.wav"), 0, 1, "s", "train", "c", "open", None, None, emotion)
    return own, np.full(SOUND_RATE_HZ, level, np.float32)


VOICES = {"s": [clip("anger", 0.4), clip("neutral", 0.1)]}


def test_a_face_shows_the_emotion_that_is_spoken() -> None:
    levels = {ANGER: 0.4, NEUTRAL: 0.1}
    for talk in talks(VOICES, FACES, PLAN, seed=0):
        for end_s, face in zip(talk.ends_s, talk.faces, strict=True):
            heard = talk.samples[round(end_s * SOUND_RATE_HZ) - 1]
            assert heard in (0, np.float32(levels[int(FACES.emotions[face])]))


def test_an_emotion_lasts_and_changes() -> None:
    (steady,) = talks(VOICES, FACES, TalkPlan(1, 40, 0.64, lasting=1.0), seed=0)
    assert len(set(FACES.emotions[steady.faces])) == 1
    changes = [len(set(FACES.emotions[talk.faces])) for talk in talks(VOICES, FACES, PLAN, seed=0)]
    assert max(changes) == 2


def test_the_same_seed_gives_the_same_talks() -> None:
    first, second = (list(talks(VOICES, FACES, PLAN, seed=1)) for _ in range(2))
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a.faces, b.faces) for a, b in zip(first, second, strict=True))


def test_other_faces_show_the_same_emotions_and_change_when_those_did() -> None:
    rows = np.array([0, 0, 1, 1, 2])
    others = FACES.others(rows, np.random.default_rng(0))
    assert FACES.emotions[others].tolist() == FACES.emotions[rows].tolist()
    assert others[0] == others[1] and others[2] == others[3]


def test_a_face_whose_emotion_nobody_speaks_is_put_to_the_nearest_one() -> None:
    fear, happiness = 6, 1
    faces = PairedFaces(FACES.vectors[:3], FACES.labels[:3], np.array([fear, NEUTRAL, happiness]))
    found = nearest_spoken(faces, {"anger", "neutral", "happiness"})
    assert found.emotions.tolist() == [ANGER, NEUTRAL, happiness]


def test_stretches_hide_their_share_and_last_as_long_as_asked() -> None:
    hidden = hidden_stretches((400, 100), 0.4, 10, seed=0)
    assert abs(hidden.mean() - 0.4) < 0.03
    begins = (hidden[:, 1:] & ~hidden[:, :-1]).sum()
    assert abs(hidden[:, 1:].sum() / begins - 10) < 1.5
    assert not hidden_stretches((3, 4), 0.0, 10, seed=0).any()
