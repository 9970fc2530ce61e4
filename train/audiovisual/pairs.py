"""Talks that nobody gave: utterances of one speaker one after another, beside faces that show the same emotion.

No open corpus has films of people whose valence and arousal were rated. Here a face's picture is paired with a voice by
emotion alone, so that both tell of it and neither of the other's noise. The labels are those of the picture, which the
voice cannot know beyond its emotion. The emotion lasts for some utterances, then changes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamaffect.types import SOUND_RATE_HZ, BoolArray, FloatArray

from ..data.sets.ferplus import CIRCUMPLEX
from ..data.stills import EMOTIONS
from .speech import SpeechClip, sounds

PAUSE_S = (0.2, 0.6)


@dataclass(frozen=True, slots=True)
class PairedFaces:
    """Faces to be paired, each of one emotion.

    vectors: (M, V) float32 clip vectors of stills; labels: (M, 2) float32 valence and arousal
    emotions: (M,) rows of `EMOTIONS`
    """

    vectors: FloatArray
    labels: FloatArray
    emotions: np.ndarray

    def others(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Faces (S,) of the same emotions in the place of these, the same one wherever it was the same one."""
        which, place = np.unique(rows, return_inverse=True)
        drawn = [rng.choice(np.flatnonzero(self.emotions == self.emotions[row])) for row in which]
        return np.array(drawn)[place]


@dataclass(frozen=True, slots=True)
class Talk:
    """One speaker, from time 0 on.

    samples: (N,) float32 at `SOUND_RATE_HZ`
    ends_s:  (S,) when each step ends; faces: (S,) the row of the face that is shown then
    """

    speaker: str
    corpus: str
    samples: FloatArray
    ends_s: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True, slots=True)
class TalkPlan:
    """count: talks of each speaker. steps: S of each; step_s: seconds from one to the next

    lasting: how likely the next utterance has the emotion of the last one; otherwise it is drawn anew
    """

    count: int
    steps: int
    step_s: float
    lasting: float


Utterances = Mapping[str, Sequence[FloatArray]]  # by emotion


def nearest_spoken(faces: PairedFaces, spoken: Collection[str]) -> PairedFaces:
    """Faces of emotions that no voice has are put to the voices of the nearest one on the circumplex, as fear to anger.

    A fusion that never met such a face beside a voice would misread it.
    """
    places, known = np.array(CIRCUMPLEX), [EMOTIONS.index(name) for name in sorted(spoken)]
    away = np.linalg.norm(places[:, None] - places[known], axis=2)
    nearest = np.array(known)[away.argmin(axis=1)]
    return PairedFaces(faces.vectors, faces.labels, nearest[faces.emotions])


def voices_by_speaker(clips: Sequence[SpeechClip]) -> dict[str, list[tuple[SpeechClip, FloatArray]]]:
    """The clips of emotions that faces show too, by who speaks; speakers with a single emotion are left out."""
    found: dict[str, list[tuple[SpeechClip, FloatArray]]] = defaultdict(list)
    for clip, samples in sounds([clip for clip in clips if clip.emotion in EMOTIONS]):
        found[clip.subject].append((clip, samples))
    return {name: own for name, own in sorted(found.items()) if len({clip.emotion for clip, _ in own}) > 1}


def talks(
    voices: Mapping[str, Sequence[tuple[SpeechClip, FloatArray]]], faces: PairedFaces, plan: TalkPlan, *, seed: int
) -> Iterator[Talk]:
    """The talks of each speaker in turn, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    shown = {name: np.flatnonzero(faces.emotions == at) for at, name in enumerate(EMOTIONS)}
    for speaker, clips in voices.items():
        own: dict[str, list[FloatArray]] = defaultdict(list)
        for clip, samples in clips:
            if len(shown[clip.emotion]):
                own[clip.emotion].append(samples)
        for _ in range(plan.count if own else 0):
            samples, rows = _talk(own, shown, plan, rng)
            ends_s = plan.step_s * np.arange(1, plan.steps + 1)
            yield Talk(speaker, clips[0][0].corpus, samples, ends_s, rows)


def _talk(
    own: Utterances, shown: Mapping[str, np.ndarray], plan: TalkPlan, rng: np.random.Generator
) -> tuple[FloatArray, np.ndarray]:
    """Samples (N,), and the row of the face at the end of each step (S,)."""
    pieces: list[FloatArray] = []
    starts, faces = [0], []
    names, emotion = sorted(own), ""
    while starts[-1] < plan.steps * plan.step_s * SOUND_RATE_HZ:
        if not emotion or rng.random() >= plan.lasting:
            emotion = names[int(rng.integers(len(names)))]
        said = own[emotion][int(rng.integers(len(own[emotion])))]
        pause = np.zeros(round(rng.uniform(*PAUSE_S) * SOUND_RATE_HZ), np.float32)
        pieces += [said, pause]
        faces.append(rng.choice(shown[emotion]))
        starts.append(starts[-1] + len(said) + len(pause))
    ends = plan.step_s * SOUND_RATE_HZ * np.arange(1, plan.steps + 1)
    return np.concatenate(pieces), np.array(faces)[np.searchsorted(starts, ends, side="left") - 1]


def hidden_stretches(shape: tuple[int, int], share: float, lasting: int, seed: int) -> BoolArray:
    """Stretches in which a face is hidden, (N, S): `share` of all steps, `lasting` steps each on average."""
    rng = np.random.default_rng(seed)
    ends, begins = 1 / lasting, share / max(1e-9, (1 - share) * lasting)
    hidden = np.zeros(shape, np.bool_)
    state = rng.random(shape[0]) < share
    for step in range(shape[1]):
        hidden[:, step] = state
        turns = rng.random(shape[0])
        state = np.where(state, turns >= ends, turns < begins)
    return hidden
