"""A transcript beside a video: WebVTT or SubRip, as cues with a beginning, an end and plain text.

Read as a whole and checked: what stands in no cue, such as notes, styles and numbers, is passed over; a time that
cannot be read is an error with its line, since the words after it would stand at the wrong place.
"""

import html
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamaffect.errors import TranscriptError

ARROW: Final = "-->"
MOST_BYTES: Final = 1 << 24
EXPECTED: Final = "expected 00:00:01.000 --> 00:00:02.500"
SLACK_S, SLACK = 2.0, 0.02  # by which the last words may outlast the film
LONG_S = 60.0  # in a shorter film half may well be silent
_TIME = re.compile(r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]\d)[.,](\d{1,3})")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Cue:
    """Words from start_s to end_s, in seconds of the video."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """The cues of one file, by their beginning."""

    path: Path
    cues: tuple[Cue, ...]

    @property
    def end_s(self) -> float:
        """Where the last words end."""
        return max(cue.end_s for cue in self.cues)

    def begun(self, start_s: float, end_s: float) -> str:
        """The words of the cues that begin in [start_s, end_s)."""
        first = bisect_left(self.cues, start_s, key=lambda cue: cue.start_s)
        last = bisect_left(self.cues, end_s, key=lambda cue: cue.start_s)
        return _joined(self.cues[first:last])

    def during(self, start_s: float, end_s: float) -> str:
        """The words of the cues of which any part lies in [start_s, end_s)."""
        return _joined([cue for cue in self.cues if cue.start_s < end_s and cue.end_s > start_s])

    def complaint(self, length_s: float) -> str | None:
        """Why this may be the transcript of another film than one of this length, one line; None where it fits."""
        within = sum(cue.start_s < length_s for cue in self.cues)
        if within == len(self.cues) and self.end_s <= length_s + SLACK_S + SLACK * length_s:
            if length_s > LONG_S and self.end_s < length_s / 2:
                return (
                    f"{self.path}: ends at {_clock(self.end_s)}, the film at {_clock(length_s)}; is it another film's?"
                )
            return None
        return (
            f"{self.path}: ends at {_clock(self.end_s)}, the film at {_clock(length_s)}, with {within} of "
            f"{len(self.cues)} cues; is it another film's? The others are left out"
        )


def read_transcript(path: Path) -> Transcript:
    """Read a .vtt or .srt file. Raises TranscriptError with file, line and what was expected."""
    lines = _lines(path)
    cues: list[Cue] = []
    number = 0
    while number < len(lines):
        if ARROW not in lines[number]:
            number += 1
            continue
        start_s, end_s = _times(path, number + 1, lines[number])
        text: list[str] = []
        number += 1
        while number < len(lines) and lines[number].strip() and ARROW not in lines[number]:
            text.append(lines[number])
            number += 1
        if words := _plain(text):
            cues.append(Cue(start_s, end_s, words))
    if not cues:
        raise TranscriptError(f"{path}: no words with a time in it; {EXPECTED} above each of them, as in .vtt and .srt")
    return Transcript(path, tuple(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))))


def _lines(path: Path) -> Sequence[str]:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > MOST_BYTES:
        raise TranscriptError(f"{path}: larger than {MOST_BYTES >> 20} MiB; expected a transcript, .vtt or .srt")
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TranscriptError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if path.suffix.lower() == ".vtt" and not lines[0].startswith("WEBVTT"):
        raise TranscriptError(f"{path}: line 1 is {lines[0][:40]!r}, expected WEBVTT; a SubRip file is named .srt")
    return lines


def _times(path: Path, number: int, line: str) -> tuple[float, float]:
    start, _, rest = line.partition(ARROW)
    words = rest.split()
    found = _TIME.fullmatch(start.strip()), _TIME.fullmatch(words[0]) if words else None
    if found[0] is None or found[1] is None:
        raise TranscriptError(f"{path}: line {number}: {line.strip()[:60]!r} is no time; {EXPECTED}")
    start_s, end_s = _seconds(found[0]), _seconds(found[1])
    if end_s < start_s:
        raise TranscriptError(f"{path}: line {number}: {line.strip()[:60]!r} ends before it begins; {EXPECTED}")
    return start_s, end_s


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, seconds, fraction = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _plain(lines: Sequence[str]) -> str:
    """Without markup; entities are what they stand for, whatever cannot be printed is a space."""
    text = html.unescape(_TAG.sub("", " ".join(lines)))
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _joined(cues: Sequence[Cue]) -> str:
    return " ".join(cue.text for cue in cues)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        if whole >= 3600
        else f"{whole // 60}:{whole % 60:02d}"
    )
