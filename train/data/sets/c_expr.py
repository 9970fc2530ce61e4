"""C-EXPR-DB: videos cut into clips of one compound emotion each, with the features that the text-based route reads.

<root>/folds/split-<n>/{train,val,test}.txt         lines `<Emotion-Name>/<video>_<Emotion-Name>_<k>,<class>`
<root>/annotation/<video>.csv                       begin and end of every clip, one column per class
<root>/video_features/<Emotion-Name>/<clip>.csv     faces of the clip, see `face_windows`
<root>/hume_features/<video>.csv                    descriptors of the voice: name, score, start, end
<root>/voice_activity/<video>.csv                   start, end, transcription
<root>/processed_audio_features.csv                 path, Arousal, Dominance, Valence of every video

The k-th clip of a class in a video is the k-th line of its annotation that has a 1 in that class's column, from 0. The
published lists of test and validation hold the same clips.
"""

import ast
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamaffect.text.textualise import Evidence

from ...errors import DataError
from ..tables import read_table
from ..text.prompts import TextClip, load_levels, load_prosody
from .c_expr_folds import BEGIN, END, SHOWN, FoldPart, time_s

CLASSES = (
    "Fearfully Surprised",
    "Happily Surprised",
    "Sadly Surprised",
    "Disgustedly Surprised",
    "Angrily Surprised",
    "Sadly Fearful",
    "Sadly Angry",
)
OTHER = "Other"
AROUND_S = 2.0  # of a clip, in which its voice is described too

WordsOf = Literal["clip", "video"]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a fold: the clip's name with its folder, the video it was cut from, its class and place among them."""

    name: str
    video: str
    emotion: str
    index: int
    label: int


def load_c_expr(root: Path, fold: int, part: FoldPart, *, words_of: WordsOf) -> list[TextClip]:
    """The clips of one part of a fold, the class "Other" (7) included; a group is a video.

    words_of: whether a clip has the words that were said during it, or those of its whole video

    Raises DataError if a list, an annotation or a file of faces is missing, or a line is not as described.
    """
    levels = load_levels(root / "processed_audio_features.csv")
    return [_clip(root, entry, levels, words_of) for entry in _fold(root / "folds" / f"split-{fold}" / f"{part}.txt")]


def _clip(root: Path, entry: _Entry, levels: dict[str, Evidence], words_of: WordsOf) -> TextClip:
    start_s, end_s = _times(root / "annotation" / f"{entry.video}.csv", entry)
    faces = root / "video_features" / f"{entry.name}.csv"
    if not faces.is_file():
        raise DataError(f"{faces}: missing; the fold names this clip")
    prosody = load_prosody(
        root / "hume_features" / f"{entry.video}.csv", start_s=start_s, end_s=end_s, around_s=AROUND_S
    )
    spoken = (start_s, end_s) if words_of == "clip" else (-math.inf, math.inf)
    words = _words(root / "voice_activity" / f"{entry.video}.csv", *spoken)
    evidence = replace(levels.get(entry.video, Evidence()), transcript=words, prosody=prosody)
    return TextClip(entry.name, entry.video, entry.label, evidence, faces)


def _fold(file: Path) -> list[_Entry]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    return [_entry(line, f"{file}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _entry(line: str, where: str) -> _Entry:
    expected = f"{where}: expected '<Emotion-Name>/<video>_<Emotion-Name>_<k>,<class>', found '{line}'"
    try:
        name, label = line.rsplit(",", 1)
        folder, clip = name.split("/")
        video, repeated, index = clip.rsplit("_", 2)
        entry = _Entry(name, video, folder.replace("-", " "), int(index), int(label))
    except ValueError as error:
        raise DataError(expected) from error
    classes = (*CLASSES, OTHER)
    if repeated != folder or not 0 <= entry.label < len(classes) or classes[entry.label] != entry.emotion:
        raise DataError(f"{expected}; the classes are {', '.join(f'{i} {name}' for i, name in enumerate(classes))}")
    return entry


def _times(file: Path, entry: _Entry) -> tuple[float, float]:
    """Begin and end of a clip in its video, in seconds."""
    rows = [row for row in read_table(file, (BEGIN, END, entry.emotion)) if row.cells[entry.emotion] in SHOWN]
    if entry.index >= len(rows):
        raise DataError(
            f"{file}: has {len(rows)} clips of '{entry.emotion}', the fold names number {entry.index}, counted from 0"
        )
    row = rows[entry.index]
    return time_s(row, BEGIN), time_s(row, END)


def _words(file: Path, start_s: float, end_s: float) -> str | None:
    """What was said in a stretch of a video, in order; None where there is no file."""
    if not file.is_file():
        return None
    rows = read_table(file, ("start", "end", "transcription"))
    spoken = [row for row in rows if row.number("start") < end_s and row.number("end") > start_s]
    return " ".join(text for row in spoken if (text := _plain(row.cells["transcription"])))


def _plain(cell: str) -> str:
    """The published tables hold a printed list with one text, as in `[' Hello.']`."""
    try:
        value = ast.literal_eval(cell) if cell.startswith("[") else cell
    except (ValueError, SyntaxError):
        value = cell.strip("[]'\"")
    return " ".join(str(part).strip() for part in value) if isinstance(value, list) else str(value).strip()
