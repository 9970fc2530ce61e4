import random
import threading
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from streamaffect.errors import SourceEndedError, SourceError, SourceOpenError, SourceStalledError
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.supervise import Backoff, SourceChange, frames
from streamaffect.types import Frame

QUICK = Backoff(min_s=0.001, max_s=0.002)
INFO = SourceInfo("synthetic", "fake", live=True, width=8, height=8, fps=None, frames=None, duration_s=None)


def frame(index: int, time_s: float, *, side: int = 8) -> Frame:
    return Frame(np.zeros((side, side, 3), np.uint8), index, time_s, 0, 0)


class ScriptedSource(Source):
    """Gives a script's frames from `read` and raises its errors: `SourceOpenError` from `open`, others from `read`."""

    def __init__(self, *script: Frame | SourceError) -> None:
        self._script: Iterator[Frame | SourceError] = iter(script)
        self._next = next(self._script)
        self.opened = 0

    def open(self) -> SourceInfo:
        self.opened += 1
        if isinstance(self._next, SourceOpenError):
            refused, self._next = self._next, self._following()
            raise refused
        return INFO

    def read(self) -> Frame:
        item, self._next = self._next, self._following()
        if isinstance(item, Frame):
            return item
        raise item

    def close(self) -> None:
        pass

    def _following(self) -> Frame | SourceError:
        return next(self._script, SourceEndedError("end of the script"))


class Events:
    """Collects the changes that are reported."""

    def __init__(self) -> None:
        self.seen: list[tuple[SourceChange, float, str]] = []

    def __call__(self, change: SourceChange, downtime_s: float, detail: str) -> None:
        self.seen.append((change, downtime_s, detail))

    @property
    def names(self) -> list[str]:
        return [change for change, _, _ in self.seen]


@pytest.fixture
def events() -> Events:
    return Events()


def run(source: Source, events: Events, stop: threading.Event | None = None, backoff: Backoff = QUICK) -> list[Frame]:
    return list(frames(source, stop=stop or threading.Event(), on_event=events, backoff=backoff))


def test_a_source_that_ends_ends_the_frames_without_an_event(events: Events) -> None:
    assert [f.index for f in run(ScriptedSource(frame(0, 1.0), frame(1, 2.0)), events)] == [0, 1]
    assert events.seen == []


def test_a_stalled_source_is_opened_until_it_works_and_each_change_is_told_once(events: Events) -> None:
    refused = SourceOpenError("refused")
    source = ScriptedSource(frame(0, 1.0), SourceStalledError("silent"), refused, refused, refused, frame(1, 2.0))
    assert [f.index for f in run(source, events)] == [0, 1]
    assert source.opened == 4
    assert events.names == ["source_lost", "source_back"]
    assert events.seen[0] == ("source_lost", 0.0, "silent")
    assert events.seen[1][1] > 0.0


def test_a_connection_that_stalls_before_its_first_frame_is_not_back(events: Events) -> None:
    silent = SourceStalledError("silent")
    run(ScriptedSource(frame(0, 1.0), silent, silent, silent, frame(1, 2.0)), events)
    assert events.names == ["source_lost", "source_back"]


def test_index_and_time_increase_even_where_the_source_counts_anew(events: Events) -> None:
    script = (frame(0, 5.0), frame(1, 6.0), SourceStalledError("x"), frame(0, 0.5), frame(1, 0.6), frame(9, 9.0))
    found = run(ScriptedSource(*script), events)
    assert [f.index for f in found] == [0, 1, 2, 3, 9]
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(found))


def test_another_picture_size_after_a_reconnection_is_told_and_goes_on(events: Events) -> None:
    found = run(ScriptedSource(frame(0, 1.0), SourceStalledError("x"), frame(1, 2.0, side=16)), events)
    assert found[-1].image.shape == (16, 16, 3)
    assert events.seen[-1][2] == "picture size changed from 8x8 to 16x16"


def test_stop_ends_the_wait_before_the_next_attempt(events: Events) -> None:
    stop = threading.Event()

    def stop_when_lost(change: SourceChange, downtime_s: float, detail: str) -> None:
        stop.set()

    source = ScriptedSource(frame(0, 1.0), SourceStalledError("x"), frame(1, 2.0))
    found = list(frames(source, stop=stop, on_event=stop_when_lost, backoff=Backoff(min_s=60.0, max_s=60.0)))
    assert [f.index for f in found] == [0]
    assert source.opened == 0


def test_a_source_that_is_closed_while_it_reconnects_ends_the_frames(events: Events) -> None:
    source = ScriptedSource(frame(0, 1.0), SourceStalledError("x"), SourceEndedError("closed"), frame(1, 2.0))
    assert len(run(source, events)) == 1
    assert events.names == ["source_lost"]


def test_waits_double_with_jitter_and_never_exceed_the_longest() -> None:
    backoff = Backoff(min_s=1.0, max_s=30.0, random=random.Random(1))
    waits = [backoff.wait_s(attempt) for attempt in range(100)]
    for attempt in range(4):
        assert 0.75 * 2**attempt <= waits[attempt] <= 1.25 * 2**attempt
    assert max(waits) == 30.0
    assert len(set(waits[:4])) == 4
