"""What somebody looks at in a recording as CSV: some faces, a stretch of time, and stretches that are left out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from streamaffect.recordings.export.csv import Decimal, write_csv
from streamaffect.recordings.export.latest import latest
from streamaffect.recordings.export.markers import MARKER_COLUMN, marked
from streamaffect.recordings.export.sheet import sheet_of
from streamaffect.recordings.export.table import Row, Table, columns, rows, survey
from streamaffect.recordings.reading import read_recording

Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown.

    faces:   (stream, track) of each
    within:  from and to, in seconds of the recording
    without: stretches that are left out, from their first second up to their last, both included
    """

    faces: frozenset[tuple[str, int]]
    within: Stretch
    without: tuple[Stretch, ...] = ()

    def has(self, seconds: float) -> bool:
        """Whether a time is among what is shown."""
        return self.within[0] <= seconds <= self.within[1] and not any(a <= seconds <= b for a, b in self.without)


def write_shown(file: BinaryIO, path: Path, selection: Selection, *, decimal: Decimal = ".") -> int:
    """Write the rows that are shown, with the columns of every CSV; returns how many there are.

    Raises RecordingError where the recording cannot be read.
    """
    recording = read_recording(path)
    found = survey(recording, None)
    header = recording.header.with_added(found.added)
    origins_ns = found.origins(header)
    markers = [
        marker
        for marker in found.markers
        if selection.has((marker.t_ns - origins_ns.get(marker.stream, found.start_ns)) / 1e9)
    ]
    every = columns(found.outputs, baselines=found.baselines, descriptions=found.descriptions) + (
        (MARKER_COLUMN,) if markers else ()
    )
    shown = _selected(latest(rows(recording, None, start_ns=found.start_ns)), selection)
    last_ns = _last(latest(rows(recording, None, start_ns=found.start_ns)), selection)
    return write_csv(file, sheet_of(Table(header=header, columns=every, rows=marked(shown, markers, last_ns))), decimal)


def _selected(every: Iterable[Row], selection: Selection) -> Iterator[Row]:
    return (
        row
        for row in every
        if (row.estimate.stream, row.estimate.track) in selection.faces and selection.has(row.timestamp_s)
    )


def _last(every: Iterable[Row], selection: Selection) -> dict[str, int]:
    """By stream, the capture time of the last picture that is shown."""
    return {row.estimate.stream: row.estimate.t_capture_ns for row in _selected(every, selection)}
