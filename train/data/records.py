"""What every loader of a published data set yields: labelled clips, and an account of what was left out and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SHOWN_KEYS = 3


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One labelled clip.

    key:     unique within the data set
    video:   the recording it is part of; scores of one recording depend on each other
    source:  a video file, or the pictures of the faces in order of time
    start_s: within a file, or of the first picture within its recording
    end_s:   likewise; None: to the end of the file
    subject: who it shows; splits keep the clips of a subject together
    split:   "train", "valid" or "test"; "" where the data set has none
    labels:  by name, in the data set's unit
    """

    key: str
    video: str
    source: Path | tuple[Path, ...]
    start_s: float
    end_s: float | None
    subject: str
    split: str
    labels: dict[str, float]


@dataclass(frozen=True, slots=True)
class LabelledClips:
    """The clips of a data set. skipped: why → the keys that were left out for it, in order."""

    records: tuple[ClipRecord, ...]
    skipped: dict[str, tuple[str, ...]]

    def summary(self) -> str:
        """What was found, and on further lines what was left out and why."""
        subjects = len({record.subject for record in self.records})
        lines = [f"clips: {len(self.records)}, subjects: {subjects}"]
        for reason, keys in self.skipped.items():
            more = ", …" if len(keys) > SHOWN_KEYS else ""
            lines.append(f"skipped {len(keys)}: {reason} ({', '.join(keys[:SHOWN_KEYS])}{more})")
        return "\n".join(lines)


@dataclass(slots=True)
class Skips:
    """Collects what a loader leaves out."""

    keys: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, key: str) -> None:
        """Leave out `key` for `reason`, in words that fit every such case."""
        self.keys.setdefault(reason, []).append(key)

    def clips(self, records: Iterable[ClipRecord]) -> LabelledClips:
        """The loader's result."""
        return LabelledClips(tuple(records), {reason: tuple(keys) for reason, keys in self.keys.items()})
