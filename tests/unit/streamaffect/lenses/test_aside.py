import threading
from collections.abc import Iterator, Sequence

import pytest

from streamaffect.lenses.aside import Aside, set_aside
from streamaffect.lenses.desk import LensDesk
from streamaffect.lenses.view import Reading, View
from streamaffect.messages import HeadMeta
from tests.support.threads import NEVER_S, SOON_S

FACE, OTHER = ("cam", 0), ("cam", 1)


class Slow:
    """A lens that looks at a face when the test lets it; it says at which time it looked."""

    is_dear = True
    inputs: Sequence[str] = ()

    def __init__(self, rate_hz: float = 0.0) -> None:
        self.rate_hz = rate_hz
        self.meta = HeadMeta(name="slow", kind="scores", outputs=[], lens="slow@1")
        self.looked: list[tuple[int, float]] = []
        self.began, self.may_end, self.ended, self.closed = (threading.Semaphore(0) for _ in range(4))
        self.failure: Exception | None = None

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        (view,) = views
        self.looked.append((view.key[1], view.time_s))
        self.began.release()
        assert self.may_end.acquire(timeout=SOON_S)
        if self.failure is not None:
            raise self.failure
        return [Reading({"at": view.time_s})]

    def close(self) -> None:
        self.closed.release()


def view(time_s: float, track: int = 0) -> View:
    return View(("cam", track), time_s, {})


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def aside(slow: Slow) -> Iterator[Aside]:
    aside = Aside(slow)
    yield aside
    slow.may_end.release(100)
    aside.close()


def finish(slow: Slow) -> None:
    """Let the look at hand end, and wait until the next one has begun, by which the first has been told."""
    slow.may_end.release()
    assert slow.began.acquire(timeout=SOON_S)


def test_nothing_waits_for_it_and_of_many_pictures_it_looks_at_the_newest(slow: Slow, aside: Aside) -> None:
    assert aside.look([view(0.0)]) == [None]
    assert slow.began.acquire(timeout=SOON_S)
    for i in range(1, 6):
        assert aside.look([view(i * 0.1)]) == [None]  # while it is at the first
    finish(slow)
    assert slow.looked == [(0, 0.0), (0, pytest.approx(0.5))]


def test_what_it_says_comes_with_the_next_estimate_of_that_face_once_and_with_its_age(slow: Slow, aside: Aside) -> None:
    aside.look([view(1.0)])
    assert slow.began.acquire(timeout=SOON_S)
    aside.look([view(1.1)])
    finish(slow)
    other, reading = aside.look([view(1.25, track=1), view(1.25)])
    assert other is None
    assert reading is not None
    assert reading.values == pytest.approx({"at": 1.0, "age_s": 0.25})
    assert aside.look([view(1.3)]) == [None]


def test_faces_take_turns(slow: Slow, aside: Aside) -> None:
    aside.look([view(0.0)])
    assert slow.began.acquire(timeout=SOON_S)
    aside.look([view(0.1), view(0.1, track=1), view(0.1, track=2)])
    for _ in range(3):
        aside.look([view(0.2)])
        finish(slow)
    assert [track for track, _ in slow.looked] == [0, 0, 1, 2]


def test_a_face_that_is_lost_while_it_is_being_looked_at_is_not_spoken_of(slow: Slow, aside: Aside) -> None:
    desk = LensDesk([aside])
    desk.look([view(0.0)])
    assert slow.began.acquire(timeout=SOON_S)
    desk.forget(FACE)
    desk.look([view(0.1, track=1)])
    finish(slow)
    assert desk.look([view(0.2), view(0.2, track=1)]) == [{}, {}]


def test_it_looks_no_more_often_than_its_rate() -> None:
    slow = Slow(rate_hz=10.0)
    slow.may_end.release(100)
    aside = Aside(slow)
    for i in range(9):
        aside.look([view(i * 0.04)])
        is_due = i in (0, 3, 6)
        assert slow.began.acquire(timeout=SOON_S if is_due else NEVER_S) == is_due
    aside.close()
    assert [time_s for _, time_s in slow.looked] == pytest.approx([0.0, 0.12, 0.24])


def test_one_that_fails_is_left_out_as_any_other(slow: Slow, aside: Aside, caplog: pytest.LogCaptureFixture) -> None:
    slow.failure = RuntimeError("no memory")
    desk = LensDesk([aside])
    desk.look([view(0.0)])
    slow.may_end.release()
    assert slow.closed.acquire(timeout=SOON_S)
    assert desk.look([view(0.1)]) == [{}]
    assert [record.message for record in caplog.records] == [
        "the lens slow has failed and is left out from now on: no memory"
    ]


def test_closing_ends_the_thread_and_the_lens(slow: Slow) -> None:
    before = set(threading.enumerate())
    aside = Aside(slow)
    slow.may_end.release()
    aside.look([view(0.0)])
    (thread,) = set(threading.enumerate()) - before
    aside.close()
    assert slow.closed.acquire(timeout=SOON_S)
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_a_lens_that_costs_nothing_stays_where_it_was(slow: Slow) -> None:
    class Quick(Slow):
        is_dear = False

    quick = Quick()
    first, second = set_aside([slow, quick])
    assert isinstance(first, Aside)
    assert second is quick
