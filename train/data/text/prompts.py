"""From clips to prompts: what is known of a clip as a whole, and of its face in every window, as text with a label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from streamaffect.text.textualise import Evidence, TextualiserConfig, textualise

from ..tables import TableRow, read_table
from .face_windows import WindowConfig, Windows, load_faces, windows_of

LEVELS = ("Arousal", "Valence", "Dominance")


@dataclass(frozen=True, slots=True)
class TextClip:
    """One labelled clip.

    name:     unique in the data set; group: what it was cut from, scores of one group depend on each other
    evidence: of the clip as a whole, without its face
    faces:    file of the face in every frame; None: not seen
    """

    name: str
    group: str
    label: int
    evidence: Evidence
    faces: Path | None


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of V clips, one clip after the other: lengths (V,) prompts of each, labels (V,), both int64."""

    texts: list[str]
    lengths: Tensor
    labels: Tensor
    groups: list[str]

    @property
    def prompt_labels(self) -> Tensor:
        """(N,) the label of every prompt."""
        return self.labels.repeat_interleave(self.lengths)


def prompts_of(
    clips: Sequence[TextClip], kind: Windows, windows: WindowConfig, textualiser: TextualiserConfig
) -> Prompts:
    """The prompts of all clips; one for a clip whose face is not wanted or was not seen.

    Raises DataError if a file of faces cannot be read.
    """
    texts, lengths = [], []
    for clip in clips:
        evidence = _by_window(clip, kind, windows) if "V" in textualiser.modalities else [clip.evidence]
        texts += [textualise(part, textualiser) for part in evidence]
        lengths.append(len(evidence))
    labels = torch.tensor([clip.label for clip in clips])
    return Prompts(texts, torch.tensor(lengths), labels, [clip.group for clip in clips])


def load_prosody(file: Path, *, start_s: float, end_s: float, around_s: float = 0.0) -> dict[str, float] | None:
    """The highest score of every descriptor whose stretch touches the clip, or the seconds around it, of a recording.

    The columns are name, score, start, end (seconds); None where there is no file.

    Raises DataError if a cell is wrong.
    """
    if not file.is_file():
        return None
    scores: dict[str, float] = {}
    for row in read_table(file, ("name", "score", "start", "end")):
        if row.number("start") <= end_s + around_s and row.number("end") >= start_s - around_s:
            name = row.text("name")
            scores[name] = max(row.number("score", 0, 1), scores.get(name, 0.0))
    return scores


def load_levels(file: Path) -> dict[str, Evidence]:
    """Arousal, valence and dominance of each recording, by the stem of its `path`; empty without a file.

    A regressor may overshoot; what lies outside is clipped.

    Raises DataError if a cell is wrong.
    """
    if not file.is_file():
        return {}
    return {
        Path(row.text("path")).stem: Evidence(
            arousal=_level(row, "Arousal"), valence=_level(row, "Valence"), dominance=_level(row, "Dominance")
        )
        for row in read_table(file, ("path", *LEVELS))
    }


def _level(row: TableRow, name: str) -> float:
    return min(max(row.number(name), 0.0), 1.0)


def _by_window(clip: TextClip, kind: Windows, windows: WindowConfig) -> list[Evidence]:
    if clip.faces is None:
        return [clip.evidence]
    faces = load_faces(clip.faces)
    found = []
    for window in windows_of(len(faces.found), kind, windows):
        strongest = faces.strongest(window)
        units, expressions = strongest if strongest is not None else (None, None)
        found.append(replace(clip.evidence, units=units, expressions=expressions))
    return found
