"""Aff-Wild2, valence-arousal challenge: one text file of frame-wise ratings per video, faces as folders of pictures.

    ANNOTATIONS/Train_Set/<video>.txt, ANNOTATIONS/Validation_Set/<video>.txt
        a line `valence,arousal`, then one line per frame; -5 marks a frame without a rating
    FACES/<video>/00001.jpg …   as `cropped_aligned` has them, numbered like the lines; frames without a face are absent

A rated frame is the end of a clip of the faces before it. A video that shows two people has a file for each, named
`<video>_left` or `_right` beside `<video>`.
"""

import re
from pathlib import Path

from ...errors import DataError
from ..records import ClipRecord, LabelledClips, Skips

SPLITS = {"train": "Train_Set", "valid": "Validation_Set"}
HEADER = "valence,arousal"
UNRATED = -5.0
FPS = 30.0  # nearly all of the data set; the annotation files don't say

SIDE = re.compile(r"_(left|right)$")

Ratings = dict[int, tuple[float, float]]


def load_aff_wild2(annotations: Path, faces: Path, *, frames: int = 16, step: int = 16) -> LabelledClips:
    """Clips of `frames` faces that follow each other among those that exist, one each `step` faces.

    Labels: valence and arousal of the clip's last frame. Identities are not published: the subject is the video
    without its side. The official split keeps subjects apart; folds over these "subjects" only keep videos apart.

    Raises:
        DataError: a folder is missing, a line is malformed or out of range, or a video is in both splits.
    """
    skips = Skips()
    records: list[ClipRecord] = []
    seen: dict[str, str] = {}
    for split, folder in SPLITS.items():
        if not (annotations / folder).is_dir():
            raise DataError(f"{annotations / folder}: missing; expected the annotation files of the {split} split")
        for file in sorted((annotations / folder).glob("*.txt")):
            subject = SIDE.sub("", file.stem)
            if seen.setdefault(subject, split) != split:
                raise DataError(f"{file}: {subject} is in the {seen[subject]} split too; a video belongs to one")
            clips = _clips(file, faces / file.stem, (subject, split), frames=frames, step=step)
            records += clips
            if not clips:
                skips.add(f"without {frames} faces up to a rated one", file.stem)
    return skips.clips(records)


def _clips(file: Path, folder: Path, owner: tuple[str, str], *, frames: int, step: int) -> list[ClipRecord]:
    subject, split = owner
    ratings = _read_ratings(file)
    pictures = [(int(path.stem), path) for path in sorted(folder.glob("*.jpg")) if path.stem.isdigit()]
    records = []
    for end in range(frames, len(pictures) + 1, step):
        window = pictures[end - frames : end]
        first, last = window[0][0], window[-1][0]
        if last in ratings:
            valence, arousal = ratings[last]
            records.append(
                ClipRecord(
                    key=f"{file.stem}/{last:05d}",
                    video=file.stem,
                    source=tuple(path for _, path in window),
                    start_s=(first - 1) / FPS,
                    end_s=last / FPS,
                    subject=subject,
                    split=split,
                    labels={"valence": valence, "arousal": arousal},
                )
            )
    return records


def _read_ratings(file: Path) -> Ratings:
    """Frame number from 1 → valence and arousal, where both are rated."""
    lines = file.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].strip().lower() != HEADER:
        raise DataError(f"{file}:1: {lines[0] if lines else ''!r}, expected the header {HEADER!r}")
    ratings: Ratings = {}
    for number, line in enumerate(lines[1:], start=1):
        if (pair := _pair(line, f"{file}:{number + 1}")) is not None:
            ratings[number] = pair
    return ratings


def _pair(line: str, where: str) -> tuple[float, float] | None:
    try:
        valence, arousal = (float(part) for part in line.split(","))
    except ValueError:
        raise DataError(f"{where}: {line!r}, expected two numbers, valence and arousal") from None
    if UNRATED in (valence, arousal):
        return None
    if not (-1 <= valence <= 1 and -1 <= arousal <= 1):
        raise DataError(
            f"{where}: {line!r}, expected two numbers from -1 to 1, or {UNRATED:g} for a frame without a rating"
        )
    return valence, arousal
