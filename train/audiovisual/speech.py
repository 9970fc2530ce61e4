"""Emotional speech as a table of clips: any corpora, decoded to one channel, each clip a stretch of one voice.

`clips.csv` with the columns path, start_s, end_s, subject, split (train, valid or test, by speaker), corpus, arousal
in [-1, 1] or empty where a clip has none, and level: an order of arousal, or empty. A column emotion, where there is
one, says which was asked for. Paths are below the table's folder;
the first part of a path is the tier, such as a folder `open` for what may be trained on and given away.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.errors import SourceError
from streamaffect.types import SOUND_RATE_HZ, FloatArray

from ..data.tables import TableRow, read_table
from ..errors import DataError

TABLE = "clips.csv"
COLUMNS = ("path", "start_s", "end_s", "subject", "split", "corpus", "arousal", "level")


@dataclass(frozen=True, slots=True)
class SpeechClip:
    """A stretch of a sound file in which one person speaks.

    arousal in [-1, 1], level: None where there is none. emotion: "" where no column says
    """

    file: Path
    start_s: float
    end_s: float
    subject: str
    split: str
    corpus: str
    tier: str
    arousal: float | None
    level: float | None
    emotion: str = ""


def load_speech(root: Path) -> list[SpeechClip]:
    """All clips of the table. Raises DataError where it is missing or malformed, or names a file that is not there."""
    clips = [_clip(root, row) for row in read_table(root / TABLE, COLUMNS)]
    if missing := sorted({str(clip.file) for clip in clips if not clip.file.is_file()}):
        raise DataError(f"{missing[0]}: missing, as are {len(missing) - 1} more; {TABLE} names them")
    return clips


def sounds(clips: Sequence[SpeechClip]) -> Iterator[tuple[SpeechClip, FloatArray]]:
    """Each clip with its samples (N,) float32 at `SOUND_RATE_HZ`; files are decoded once, one after another.

    Raises DataError where a file is no sound that can be decoded, or ends before a clip of it begins.
    """
    by_file: dict[Path, list[SpeechClip]] = {}
    for clip in clips:
        by_file.setdefault(clip.file, []).append(clip)
    for file, parts in by_file.items():
        samples = _decoded(file)
        for clip in parts:
            found = samples[round(clip.start_s * SOUND_RATE_HZ) : round(clip.end_s * SOUND_RATE_HZ)]
            if not len(found):
                raise DataError(f"{file}: ends before {clip.start_s:g} s, where {TABLE} has a clip of it")
            yield clip, found


def _clip(root: Path, row: TableRow) -> SpeechClip:
    start_s, end_s, path = row.number("start_s", low=0), row.number("end_s", low=0), row.text("path")
    if end_s <= start_s:
        row.fail(f"the clip ends at {end_s:g} s, before it starts at {start_s:g} s")
    if row.text("split") not in ("train", "valid", "test"):
        row.fail(f"split is {row.text('split')!r}, expected train, valid or test")
    return SpeechClip(
        file=root / path,
        start_s=start_s,
        end_s=end_s,
        subject=row.text("subject"),
        split=row.text("split"),
        corpus=row.text("corpus"),
        tier=Path(path).parts[0],
        arousal=None if row.is_empty("arousal") else row.number("arousal", -1, 1),
        level=None if row.is_empty("level") else row.number("level"),
        emotion=row.cells.get("emotion", ""),
    )


def _decoded(file: Path) -> FloatArray:
    from streamaffect.sources.sound_file import read_sound

    try:
        pieces = list(read_sound(file, rate_hz=SOUND_RATE_HZ))
    except SourceError as error:
        raise DataError(f"{file}: its sound cannot be read ({error}); play the file, or convert it") from error
    return np.concatenate([piece.samples for piece in pieces]) if pieces else np.zeros(0, np.float32)
