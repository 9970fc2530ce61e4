"""MELD: utterances of a TV series with an emotion each, from the lists that the data set publishes.

<root>/{train,dev,test}_sent_emo.csv, or <root>/<part>/<part>_sent_emo.csv
<root>/<part>/video_features/dia<D>_utt<U>.csv      faces, see `face_windows`; left out where there is none
<root>/<part>/hume_features/dia<D>_utt<U>.csv       descriptors of the voice: name, score, start, end
<root>/<part>/processed_audio_features.csv          path, Arousal, Dominance, Valence

Only the lists are needed; the rest is the layout of the published text-based code.
"""

import csv
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

from streamaffect.text.textualise import Evidence

from ...errors import DataError
from ..text.prompts import TextClip, load_levels, load_prosody

MeldPart = Literal["train", "dev", "test"]
ClassOrder = Literal["text", "features"]

# The two published programs number the same seven emotions differently.
CLASS_ORDERS: dict[ClassOrder, tuple[str, ...]] = {
    "text": ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"),
    "features": ("neutral", "joy", "surprise", "fear", "anger", "disgust", "sadness"),
}
VOICES = "hume_features"  # folder of a part
COLUMNS = ("Utterance", "Emotion", "Dialogue_ID", "Utterance_ID")

# Some copies hold the bytes of Windows-1252 as if they were code points, 0x92 for an apostrophe.
_MISTAKEN = {code: bytes([code]).decode("cp1252", errors="ignore") or None for code in range(0x80, 0xA0)}


def load_meld(root: Path, part: MeldPart, order: ClassOrder, *, voices: Path | None = None) -> list[TextClip]:
    """The utterances of a part, in the order of its list; a group is a dialogue.

    voices: folder with tables of the voices, read where the data set has no folder of them

    Raises DataError if the list is missing, lacks a column, names an emotion that is none of the seven, or lists an
    utterance twice.
    """
    file = _list_file(root, part)
    classes = CLASS_ORDERS[order]
    own = root / part / VOICES
    tables = own if voices is None or own.is_dir() else voices
    levels = load_levels(root / part / "processed_audio_features.csv")
    clips: dict[str, TextClip] = {}
    for line, row in enumerate(_rows(file), start=2):
        emotion = row["Emotion"].strip().lower()
        if emotion not in classes:
            raise DataError(f"{file}:{line}: Emotion is {row['Emotion']!r}, expected one of {', '.join(classes)}")
        name = f"dia{row['Dialogue_ID'].strip()}_utt{row['Utterance_ID'].strip()}"
        if name in clips:
            raise DataError(f"{file}:{line}: {name} is listed twice")
        prosody = load_prosody(tables / f"{name}.csv", start_s=0.0, end_s=math.inf)
        words = row["Utterance"].translate(_MISTAKEN)
        evidence = replace(levels.get(name, Evidence()), transcript=words, prosody=prosody)
        faces = _file(root / part / "video_features" / f"{name}.csv")
        clips[name] = TextClip(name, f"dia{row['Dialogue_ID']}", classes.index(emotion), evidence, faces)
    if not clips:
        raise DataError(f"{file}: lists no utterance")
    return list(clips.values())


def has_part(root: Path, part: MeldPart) -> bool:
    """Whether the list of a part is there."""
    return _list_file(root, part).is_file()


def _file(path: Path) -> Path | None:
    return path if path.is_file() else None


def _list_file(root: Path, part: MeldPart) -> Path:
    nested = root / part / f"{part}_sent_emo.csv"
    return nested if nested.is_file() else root / f"{part}_sent_emo.csv"


def _rows(file: Path) -> list[dict[str, str]]:
    """The lines of a list, which is UTF-8 in the published copies and Windows-1252 in some others."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); MELD publishes it as data/MELD/{file.name}"
                        ) from error  # fmt: skip
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise DataError(f"{file}:1: no column {missing[0]!r}; expected {', '.join(COLUMNS)} among others")
    rows = list(reader)
    if short := next((line for line, row in enumerate(rows, start=2) if None in row.values()), None):
        raise DataError(f"{file}:{short}: has fewer cells than the header")
    return rows
