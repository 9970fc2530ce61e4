"""How long work takes, in time that the process lived through, on a clock that the test turns."""

from collections.abc import Iterator

import pytest

from streamaffect.pipeline.stations import vigil as module
from streamaffect.pipeline.stations.vigil import Vigil

S = 1_000_000_000


class Watch:
    now_ns = 50 * S

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    monkeypatch.setattr(module, "monotonic_ns", lambda: watch.now_ns)
    yield watch


@pytest.fixture
def vigil(watch: Watch) -> Vigil:
    return Vigil()


def test_the_same_piece_of_work_grows_older_with_each_visit(vigil: Vigil, watch: Watch) -> None:
    assert vigil.busy_s("engine", 1) == 0.0
    for _ in range(20):
        watch.advance(0.1)
        vigil.visit()
    assert vigil.busy_s("engine", 1) == pytest.approx(2.0)
    assert vigil.busy_s("engine", 2) == 0.0
    assert vigil.busy_s("engine", None) == 0.0


def test_a_process_that_was_stopped_has_not_been_busy_meanwhile(vigil: Vigil, watch: Watch) -> None:
    vigil.busy_s("engine", 1)
    watch.advance(3600.0)
    vigil.visit()
    assert vigil.busy_s("engine", 1) <= 1.0


def test_what_was_captured_before_a_standstill_is_stale_even_before_anybody_has_noticed(
    vigil: Vigil, watch: Watch
) -> None:
    captured_ns = watch.now_ns
    watch.advance(0.5)
    vigil.visit()
    assert not vigil.is_stale(captured_ns)
    watch.advance(10.0)
    assert vigil.is_stale(captured_ns)
    assert not vigil.is_stale(watch.now_ns)
    vigil.visit()
    assert vigil.is_stale(captured_ns)
    watch.advance(0.04)
    assert not vigil.is_stale(watch.now_ns)
