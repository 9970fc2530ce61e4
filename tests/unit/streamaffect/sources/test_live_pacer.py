import pytest

from streamaffect.sources import pacing
from streamaffect.sources.pacing import LivePacer


class Watch:
    """A clock that goes on only while somebody waits."""

    def __init__(self, pacer: LivePacer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(pacing, "monotonic_ns", lambda: round(self.now_s * 1e9))
        monkeypatch.setattr(pacer._stopped, "wait", self.wait)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def pacer() -> LivePacer:
    return LivePacer()


@pytest.fixture
def watch(pacer: LivePacer, monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(pacer, monkeypatch)


def shown_at(pacer: LivePacer, watch: Watch, *stamps: float | None) -> list[float]:
    times = []
    for stamp in stamps:
        pacer.wait(stamp)
        times.append(round(watch.now_s - 100.0, 3))
    return times


def test_a_burst_is_shown_at_its_own_pace(pacer: LivePacer, watch: Watch) -> None:
    assert shown_at(pacer, watch, 7.0, 7.04, 7.08, 7.5) == [0.0, 0.04, 0.08, 0.5]


def test_after_a_gap_the_pace_begins_anew(pacer: LivePacer, watch: Watch) -> None:
    shown_at(pacer, watch, 7.0, 7.04)
    watch.now_s = 103.0
    assert shown_at(pacer, watch, 7.08, 7.12, 7.16) == [3.0, 3.04, 3.08]


@pytest.mark.parametrize("jump", [-5.0, 3600.0])
def test_time_stamps_that_jump_hold_nothing_up(pacer: LivePacer, watch: Watch, jump: float) -> None:
    assert shown_at(pacer, watch, 7.0, 7.0 + jump, 7.04 + jump) == [0.0, 0.0, 0.04]


def test_a_picture_without_a_time_stamp_is_shown_at_once(pacer: LivePacer, watch: Watch) -> None:
    assert shown_at(pacer, watch, None, 7.0, None, 7.04) == [0.0, 0.0, 0.0, 0.04]


def test_stopping_ends_every_wait(pacer: LivePacer) -> None:
    pacer.wait(0.0)
    pacer.stop()
    pacer.wait(25.0)
