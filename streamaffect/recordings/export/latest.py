"""The latest word on every picture: an estimate that was refined later is replaced by the one that refines it.

Formats that hold a signal over time have room for one value at a time. A refinement comes a moment after its
provisional estimate, so rows are held back for a while; the order of capture is kept, and memory does not grow.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from streamaffect.recordings.export.table import Row

ROWS_HELD = 2048


def latest(rows: Iterable[Row]) -> Iterator[Row]:
    """One row for each picture of each face: of several, the last, at the place of the first."""
    held: OrderedDict[tuple[str, int, int], Row] = OrderedDict()
    for row in rows:
        held[row.estimate.stream, row.estimate.track, row.estimate.t_capture_ns] = row
        if len(held) > ROWS_HELD:
            yield held.popitem(last=False)[1]
    yield from held.values()
