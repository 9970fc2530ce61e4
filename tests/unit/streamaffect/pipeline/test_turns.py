"""Live streams take turns: one frame of each is on its way, seats are few, and nobody is passed over."""

import pytest

from streamaffect.pipeline.channel import Closed
from streamaffect.pipeline.turns import Turns
from tests.support.threads import SOON_S, Threads, is_waiting, threads

__all__ = ["threads"]


def test_what_was_handed_over_is_taken_together() -> None:
    turns: Turns[int] = Turns(["a", "b", "c"], seats=3)
    for stream, item in (("c", 3), ("a", 1)):
        turns.enter(stream)
        turns.put(stream, item)
    assert turns.take(SOON_S) == [("a", 1), ("c", 3)]
    assert turns.take(0.0) == []


def test_a_stream_does_not_enter_again_before_its_frame_has_been_estimated(threads: Threads) -> None:
    turns: Turns[int] = Turns(["a"], seats=4)
    turns.enter("a")
    turns.put("a", 1)
    entered = threads.start(lambda: turns.enter("a"))
    assert is_waiting(entered)
    turns.take(SOON_S)
    assert is_waiting(entered)
    turns.done(["a"])
    entered.result(SOON_S)


def test_who_has_waited_longest_gets_the_seat_that_becomes_free(threads: Threads) -> None:
    turns: Turns[int] = Turns(["a", "b", "c"], seats=1)
    turns.enter("a")
    later = []
    for stream in ("c", "b"):
        later.append(threads.start(lambda stream=stream: turns.enter(stream)))  # type: ignore[misc]
        assert is_waiting(later[-1])
    turns.put("a", 1)
    assert is_waiting(later[0])  # the seat is not free before the engine has the frame
    turns.take(SOON_S)
    later[0].result(SOON_S)
    assert is_waiting(later[1])
    turns.put("c", 3)
    turns.take(SOON_S)
    later[1].result(SOON_S)


def test_all_streams_get_their_share_of_the_turns(threads: Threads) -> None:
    names = [f"s{i}" for i in range(6)]
    turns: Turns[int] = Turns(names, seats=2)

    def look(stream: str) -> None:
        try:
            while True:
                turns.enter(stream)
                turns.put(stream, 0)
        except Closed:
            return

    lookers = [threads.start(lambda name=name: look(name)) for name in names]  # type: ignore[misc]
    counts = dict.fromkeys(names, 0)
    while sum(counts.values()) < 600:
        batch = turns.take(SOON_S)
        assert len(batch) <= 2
        for stream, _ in batch:
            counts[stream] += 1
        turns.done(stream for stream, _ in batch)
    for name in names:
        turns.close(name)
    for looker in lookers:
        looker.result(SOON_S)
    # A busy machine may keep a thread from queueing; in a queue nobody overtakes, so none starves.
    assert min(counts.values()) > 600 / len(names) / 4


def test_a_seat_that_was_given_up_goes_to_the_next(threads: Threads) -> None:
    turns: Turns[int] = Turns(["a", "b"], seats=1)
    turns.enter("a")
    entered = threads.start(lambda: turns.enter("b"))
    assert is_waiting(entered)
    turns.give_up("a")
    entered.result(SOON_S)
    turns.put("b", 2)
    assert turns.take(SOON_S) == [("b", 2)]
    turns.enter("a")


@pytest.mark.parametrize("seats", [1, 2])
def test_the_end_of_a_stream_wakes_it_and_frees_its_seat(threads: Threads, seats: int) -> None:
    turns: Turns[int] = Turns(["a", "b", "c"], seats=seats)
    turns.enter("a")
    if seats == 2:
        turns.enter("b")
    queued = threads.start(lambda: turns.enter("c"))
    assert is_waiting(queued)
    turns.close("c")
    assert isinstance(queued.exception(SOON_S), Closed)
    turns.close("a")
    with pytest.raises(Closed):
        turns.put("a", 1)
    if seats == 1:
        turns.enter("b")


def test_what_an_ended_stream_has_handed_over_is_still_taken() -> None:
    turns: Turns[int] = Turns(["a", "b"], seats=2)
    turns.close("b")
    turns.enter("a")
    turns.put("a", 1)
    turns.close("a")
    assert not turns.has_ended("a")
    assert turns.take(SOON_S) == [("a", 1)]
    assert not turns.has_ended("a")
    turns.done(["a"])
    assert turns.has_ended("a")
    with pytest.raises(Closed):
        turns.take(SOON_S)


def test_the_last_end_wakes_whoever_takes(threads: Threads) -> None:
    turns: Turns[int] = Turns(["a"], seats=1)
    taken = threads.start(lambda: turns.take(SOON_S))
    assert is_waiting(taken)
    turns.close("a")
    assert isinstance(taken.exception(SOON_S), Closed)
