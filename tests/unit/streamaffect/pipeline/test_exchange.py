"""Files take strict turns: nothing is lost or reordered, and everybody wakes up at the end."""

import random
import threading

import pytest

from streamaffect.pipeline.channel import Closed
from streamaffect.pipeline.exchange import Mailbox
from tests.support.threads import SOON_S, Threads, is_waiting, threads

__all__ = ["threads"]


def test_taking_nothing_in_time_gives_an_empty_batch() -> None:
    mailbox: Mailbox[int] = Mailbox(["a"], capacity=1)
    assert mailbox.take(0.0) == []


def test_a_stream_that_waits_goes_on_when_half_of_its_items_are_taken(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=4)
    for i in range(4):
        mailbox.put("a", i)
        mailbox.put("b", i)
    put = threads.start(lambda: mailbox.put("a", 4))
    assert [mailbox.take(SOON_S) for _ in range(2)] == [[("a", 0)], [("b", 0)]]
    assert is_waiting(put)
    assert mailbox.take(SOON_S) == [("a", 1)]
    put.result(SOON_S)


def test_a_stream_waits_for_room_and_the_others_do_not(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=1)
    mailbox.put("a", 1)
    put = threads.start(lambda: mailbox.put("a", 2))
    assert is_waiting(put)
    mailbox.put("b", 1)
    assert [mailbox.take(SOON_S) for _ in range(2)] == [[("a", 1)], [("b", 1)]]
    put.result(SOON_S)
    assert mailbox.take(SOON_S) == [("a", 2)]


def test_an_item_wakes_whoever_takes(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=1)
    taken = threads.start(lambda: mailbox.take(SOON_S))
    mailbox.put("a", 5)
    assert taken.result(SOON_S) == [("a", 5)]


def test_turns_go_round_whoever_is_first() -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=4)
    for item in range(3):
        mailbox.put("b", item)
    assert mailbox.take(0.0) == []  # it is a's turn
    mailbox.put("a", 0)
    assert [mailbox.take(0.0) for _ in range(3)] == [[("a", 0)], [("b", 0)], []]


def test_a_stream_that_has_ended_is_passed_over() -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b", "c"], capacity=4)
    for stream, item in (("a", 0), ("b", 0), ("b", 1), ("c", 0), ("c", 1)):
        mailbox.put(stream, item)
    mailbox.close("a")
    order = [mailbox.take(0.0)[0] for _ in range(5)]
    assert order == [("a", 0), ("b", 0), ("c", 0), ("b", 1), ("c", 1)]


def test_the_end_of_the_stream_whose_turn_it_is_wakes_whoever_takes(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=1)
    mailbox.put("b", 1)
    taken = threads.start(lambda: mailbox.take(SOON_S))
    assert is_waiting(taken)
    mailbox.close("a")
    assert taken.result(SOON_S) == [("b", 1)]


def test_a_mailbox_is_closed_when_all_streams_have_ended_and_everything_is_taken() -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=2)
    mailbox.put("b", 1)
    mailbox.close("b")
    mailbox.close("a")
    assert mailbox.take(SOON_S) == [("b", 1)]
    with pytest.raises(Closed):
        mailbox.take(SOON_S)


def test_the_last_end_wakes_whoever_takes(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=2)
    taken = threads.start(lambda: mailbox.take(SOON_S))
    mailbox.close("a")
    assert is_waiting(taken)
    mailbox.close("b")
    assert isinstance(taken.exception(SOON_S), Closed)


def test_closing_a_stream_wakes_its_waiting_producer(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a"], capacity=1)
    mailbox.put("a", 1)
    put = threads.start(lambda: mailbox.put("a", 2))
    assert is_waiting(put)
    mailbox.close("a")
    assert isinstance(put.exception(SOON_S), Closed)


def taken_in_turn(counts: dict[str, int], threads: Threads, seed: int) -> list[tuple[str, int]]:
    """The order in which a consumer gets what producers of random slowness put."""
    mailbox: Mailbox[int] = Mailbox(list(counts), capacity=2)
    rng = random.Random(seed)
    pauses = {stream: [rng.choice((0.0, 0.0, 0.001, 0.004)) for _ in range(count)] for stream, count in counts.items()}

    def produce(stream: str) -> None:
        for item, pause_s in enumerate(pauses[stream]):
            threading.Event().wait(pause_s)
            mailbox.put(stream, item)
        mailbox.close(stream)

    for stream in counts:
        threads.start(lambda stream=stream: produce(stream))  # type: ignore[misc]
    taken: list[tuple[str, int]] = []
    while True:
        try:
            taken += mailbox.take(SOON_S)
        except Closed:
            return taken


def test_the_order_of_turns_does_not_depend_on_who_is_slow(threads: Threads) -> None:
    counts = {"a": 20, "b": 7, "c": 13}
    expected = [(stream, i) for i in range(20) for stream, count in counts.items() if i < count]
    for seed in range(4):
        assert taken_in_turn(counts, threads, seed) == expected
