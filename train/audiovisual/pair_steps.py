"""Steps to learn from, of talks that were put together: faces of FER+, voices of a table of speech, by emotion.

DIR/ferplus/…          as `train/data/sets/ferplus.py` reads it
DIR/speech/clips.csv   as `speech.py` reads it, with the column emotion
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch

from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, FloatArray, SoundBlock
from streamaffect.voice.joint import HEARD
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.prosody import FEATURES
from streamaffect.voice.reader import PERIOD_S

from ..config import Count, Positive, Share
from ..data.augment import place, plain
from ..data.backbone import VisualBackbone
from ..data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from ..errors import DataError
from .pairs import PairedFaces, Talk, TalkPlan, nearest_spoken, talks, voices_by_speaker
from .speech import SpeechClip, load_speech
from .steps import StepWindows, join_steps


class PairsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How voices and faces are put together.

    tier:     the clips to learn from are those of this folder alone
    talks:    of each speaker; talk_steps: steps of each; faces: so many times other faces beside the same talk
    lasting:  see `talks`. window_s: of sound that a step hears
    hears:    of it: the numbers of prosody, or what the shipped voice model says, its arousal, or both
    every:    steps between the ends of two windows
    """

    tier: str = "open"
    talks: Count = 8
    talk_steps: Count = 64
    faces: Count = 4
    lasting: Share = 0.6
    window_s: Positive = 2.0
    hears: Literal["prosody", "voice", "both"] = "prosody"
    every: Count = 2

    @property
    def features(self) -> tuple[str, ...]:
        """The names of what a step hears, in order, of `joint.HEARD`."""
        said = HEARD[len(FEATURES) :]
        return {"prosody": FEATURES, "voice": said, "both": HEARD}[self.hears]


def pair_steps(
    root: Path, backbone: VisualBackbone, config: PairsConfig, *, steps: int, seed: int
) -> tuple[StepWindows, StepWindows]:
    """Of the speakers and pictures that are trained on, and of those held out; `audio` holds what the
    recipe has a step hear.

    Raises DataError where data are missing, or a split has no voice whose emotion a face shows too.
    """
    clips = [clip for clip in load_speech(root / "speech") if clip.tier == config.tier]
    parts = []
    for number, (split, pictures) in enumerate((("train", TRAINING), ("valid", PUBLIC_TEST))):
        own = [clip for clip in clips if clip.split == split]
        faces = paired_faces(root, pictures, backbone)
        parts.append(_steps(own, faces, backbone, config, steps=steps, seed=seed + 100 * number))
    return parts[0], parts[1]


def paired_faces(root: Path, split: int, backbone: VisualBackbone) -> PairedFaces:
    """The pictures of a split of FER+ of which most voters say one emotion."""
    found = load_ferplus(root, split, taught=False)
    stills = found.stills.take(np.flatnonzero(found.is_clear))
    crops = np.stack(
        [
            place(picture, plain(float(shown), mirrored=False), backbone.size)
            for picture, shown in zip(stills.pictures, stills.shown, strict=True)
        ]
    )
    features = backbone.frames(np.repeat(crops[..., None], 3, axis=3))
    rows = np.repeat(np.arange(len(features))[:, None], backbone.clip.frames, axis=1)
    return PairedFaces(backbone.clips(features, rows), stills.affect, stills.emotions.argmax(axis=1))


def sound_of(talk: Talk, config: PairsConfig, voice: VoiceModel) -> tuple[FloatArray, np.ndarray]:
    """What each step hears, on the half seconds at which a stream listens: (S, F) float32, and (S,) whether it does."""
    ring = SoundRing(len(talk.samples) / SOUND_RATE_HZ + 1)
    ring.push(SoundBlock(talk.samples, time_s=0.0, t_capture_ns=0))
    columns = [HEARD.index(name) for name in config.features]
    features, heard = np.zeros((len(talk.ends_s), len(columns)), np.float32), np.zeros(len(talk.ends_s), np.bool_)
    for step, end_s in enumerate(talk.ends_s):
        until_s = np.floor(end_s / PERIOD_S + 1e-6) * PERIOD_S
        found = voice.describe(ring.read(until_s - config.window_s, until_s).samples)
        if found is not None:
            prosody, arousal = found
            features[step], heard[step] = np.append(prosody, arousal)[columns], True
    return features, heard


def _steps(
    clips: Sequence[SpeechClip],
    faces: PairedFaces,
    backbone: VisualBackbone,
    config: PairsConfig,
    *,
    steps: int,
    seed: int,
) -> StepWindows:
    voices = voices_by_speaker(clips)
    if not voices:
        raise DataError(
            f"speech/{config.tier}: no speaker has clips of two emotions that faces show too; see the column emotion"
        )
    faces = nearest_spoken(faces, {clip.emotion for own in voices.values() for clip, _ in own})
    parts, voice = [], VoiceModel()
    plan = TalkPlan(config.talks, config.talk_steps, backbone.clip.length_s, config.lasting)
    windows = np.arange(0, plan.steps, config.every)[:, None] - np.arange(steps - 1, -1, -1)
    rng = np.random.default_rng(seed + 1)
    for talk in talks(voices, faces, plan, seed=seed):
        hears = sound_of(talk, config, voice)
        for again in range(config.faces):
            rows = talk.faces if again == 0 else faces.others(talk.faces, rng)
            parts.append(_windows((faces.vectors[rows], faces.labels[rows]), hears, windows))
    return join_steps(parts)


def _windows(
    seen: tuple[FloatArray, FloatArray], hears: tuple[FloatArray, np.ndarray], rows: np.ndarray
) -> StepWindows:
    """Windows (N, S) of a talk, from the rows (N, S) of its steps; before its beginning its first step stands in."""
    (vectors, labels), (prosody, heard) = seen, hears
    return StepWindows(
        torch.from_numpy(vectors),
        torch.from_numpy(prosody),
        torch.from_numpy(heard),
        torch.from_numpy(np.asarray(labels, np.float32)),
        torch.from_numpy(rows.clip(0)),
        torch.from_numpy(rows >= 0),
    )
