"""Markers in a table: each stands in the rows of the first picture at or after its moment.

Those after the last picture stand in its rows, so that none is missing. Several at one picture are joined by "; ".
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from streamaffect.messages import Event
from streamaffect.recordings.export.table import PICTURES_REMEMBERED, Column, Row

MARKER_COLUMN = Column("marker", "text", lambda row: row.marker)
BETWEEN = "; "


def marked(rows: Iterable[Row], markers: Sequence[Event], last_ns: Mapping[str, int]) -> Iterator[Row]:
    """The rows, with the markers of their streams.

    last_ns: by stream, the capture time of its last picture
    """
    streams: dict[str, _Pending] = {}
    for marker in sorted(markers, key=lambda marker: marker.t_ns):
        at_ns = min(marker.t_ns, last_ns.get(marker.stream, marker.t_ns))
        streams.setdefault(marker.stream, _Pending()).waiting.append((at_ns, str(marker.label)))
    for row in rows:
        pending = streams.get(row.estimate.stream)
        label = None if pending is None else pending.at(row.estimate.t_capture_ns)
        yield row if label is None else replace(row, marker=label)


class _Pending:
    """The markers of one stream that still wait for their picture, in the order of time."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, str]] = []
        self._next = 0
        self._placed: OrderedDict[int, str] = OrderedDict()

    def at(self, t_capture_ns: int) -> str | None:
        """The text for a picture; the rows of its other faces, and those that refine it, have the same."""
        due: list[str] = []
        while self._next < len(self.waiting) and self.waiting[self._next][0] <= t_capture_ns:
            due.append(self.waiting[self._next][1])
            self._next += 1
        if due:
            before = [self._placed[t_capture_ns]] if t_capture_ns in self._placed else []
            self._placed[t_capture_ns] = BETWEEN.join([*before, *due])
            if len(self._placed) > PICTURES_REMEMBERED:
                self._placed.popitem(last=False)
        return self._placed.get(t_capture_ns)
