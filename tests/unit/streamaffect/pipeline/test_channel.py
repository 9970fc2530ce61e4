"""What passes between threads: nothing is lost or reordered where it must not be, and everybody wakes up at the end."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from streamaffect.pipeline.channel import Channel, Closed, Mailbox

R = TypeVar("R")

SOON_S = 10.0  # for what happens at once
NEVER_S = 0.05  # for what must not happen


class Threads:
    """Runs calls in threads of their own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(8)

    def start(self, call: Callable[[], R]) -> "Future[R]":
        return self._pool.submit(call)

    def close(self) -> None:
        self._pool.shutdown(wait=True)


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


def is_waiting(call: "Future[R]") -> bool:
    with pytest.raises(TimeoutError):
        call.result(NEVER_S)
    return True


def drain(channel: "Channel[int]") -> list[int]:
    taken = []
    while True:
        try:
            taken.append(channel.get())
        except Closed:
            return taken


def test_a_lossless_channel_keeps_order() -> None:
    channel: Channel[int] = Channel(3, newest_wins=False)
    for i in range(3):
        channel.put(i)
    channel.close()
    assert drain(channel) == [0, 1, 2]


def test_a_full_lossless_channel_makes_its_producer_wait(threads: Threads) -> None:
    channel: Channel[int] = Channel(1, newest_wins=False)
    channel.put(0)
    put = threads.start(lambda: channel.put(1))
    assert is_waiting(put)
    assert channel.get() == 0
    put.result(SOON_S)
    assert channel.get() == 1


def test_a_full_live_channel_drops_the_oldest_and_never_waits() -> None:
    channel: Channel[int] = Channel(2, newest_wins=True)
    for i in range(5):
        channel.put(i)
    channel.close()
    assert drain(channel) == [3, 4]


def test_an_empty_channel_makes_its_consumer_wait(threads: Threads) -> None:
    channel: Channel[int] = Channel(1, newest_wins=False)
    got = threads.start(channel.get)
    assert is_waiting(got)
    channel.put(7)
    assert got.result(SOON_S) == 7


def test_closing_wakes_a_waiting_consumer(threads: Threads) -> None:
    channel: Channel[int] = Channel(1, newest_wins=True)
    got = threads.start(channel.get)
    assert is_waiting(got)
    channel.close()
    assert isinstance(got.exception(SOON_S), Closed)


def test_closing_wakes_a_waiting_producer_and_keeps_what_is_inside(threads: Threads) -> None:
    channel: Channel[int] = Channel(1, newest_wins=False)
    channel.put(0)
    put = threads.start(lambda: channel.put(1))
    assert is_waiting(put)
    channel.close()
    assert isinstance(put.exception(SOON_S), Closed)
    assert drain(channel) == [0]


@pytest.mark.parametrize("newest_wins", [True, False])
def test_a_closed_channel_takes_nothing(newest_wins: bool) -> None:
    channel: Channel[int] = Channel(1, newest_wins=newest_wins)
    channel.close()
    channel.close()
    with pytest.raises(Closed):
        channel.put(1)
    with pytest.raises(Closed):
        channel.get()


def test_two_threads_pass_everything_through_a_narrow_channel(threads: Threads) -> None:
    channel: Channel[int] = Channel(2, newest_wins=False)
    taken = threads.start(lambda: drain(channel))
    for i in range(2000):
        channel.put(i)
    channel.close()
    assert taken.result(SOON_S) == list(range(2000))


def test_ready_items_are_one_per_stream_and_the_oldest() -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b", "c"], capacity=4)
    for stream, item in (("c", 1), ("a", 1), ("a", 2), ("c", 2)):
        mailbox.put(stream, item)
    assert mailbox.take_ready(SOON_S) == [("a", 1), ("c", 1)]
    assert mailbox.take_ready(SOON_S) == [("a", 2), ("c", 2)]


def test_taking_nothing_in_time_gives_an_empty_batch() -> None:
    mailbox: Mailbox[int] = Mailbox(["a"], capacity=1)
    assert mailbox.take_ready(0.0) == []
    assert mailbox.take_turn(0.0) == []


def test_a_stream_waits_for_room_and_the_others_do_not(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=1)
    mailbox.put("a", 1)
    put = threads.start(lambda: mailbox.put("a", 2))
    assert is_waiting(put)
    mailbox.put("b", 1)
    assert mailbox.take_ready(SOON_S) == [("a", 1), ("b", 1)]
    put.result(SOON_S)
    assert mailbox.take_ready(SOON_S) == [("a", 2)]


def test_an_item_wakes_whoever_takes(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=1)
    taken = threads.start(lambda: mailbox.take_ready(SOON_S))
    mailbox.put("b", 5)
    assert taken.result(SOON_S) == [("b", 5)]


def test_turns_go_round_whoever_is_first() -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=4)
    for item in range(3):
        mailbox.put("b", item)
    assert mailbox.take_turn(0.0) == []  # it is a's turn
    mailbox.put("a", 0)
    assert [mailbox.take_turn(0.0) for _ in range(3)] == [[("a", 0)], [("b", 0)], []]


def test_a_stream_that_has_ended_is_passed_over() -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b", "c"], capacity=4)
    for stream, item in (("a", 0), ("b", 0), ("b", 1), ("c", 0), ("c", 1)):
        mailbox.put(stream, item)
    mailbox.close("a")
    order = [mailbox.take_turn(0.0)[0] for _ in range(5)]
    assert order == [("a", 0), ("b", 0), ("c", 0), ("b", 1), ("c", 1)]


def test_the_end_of_the_stream_whose_turn_it_is_wakes_whoever_takes(threads: Threads) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=1)
    mailbox.put("b", 1)
    taken = threads.start(lambda: mailbox.take_turn(SOON_S))
    assert is_waiting(taken)
    mailbox.close("a")
    assert taken.result(SOON_S) == [("b", 1)]


@pytest.mark.parametrize("take", ["take_ready", "take_turn"])
def test_a_mailbox_is_closed_when_all_streams_have_ended_and_everything_is_taken(take: str) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=2)
    mailbox.put("b", 1)
    mailbox.close("b")
    mailbox.close("a")
    assert getattr(mailbox, take)(SOON_S) == [("b", 1)]
    with pytest.raises(Closed):
        getattr(mailbox, take)(SOON_S)


@pytest.mark.parametrize("take", ["take_ready", "take_turn"])
def test_the_last_end_wakes_whoever_takes(threads: Threads, take: str) -> None:
    mailbox: Mailbox[int] = Mailbox(["a", "b"], capacity=2)
    taken = threads.start(lambda: getattr(mailbox, take)(SOON_S))
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
            taken += mailbox.take_turn(SOON_S)
        except Closed:
            return taken


def test_the_order_of_turns_does_not_depend_on_who_is_slow(threads: Threads) -> None:
    counts = {"a": 20, "b": 7, "c": 13}
    expected = [(stream, i) for i in range(20) for stream, count in counts.items() if i < count]
    for seed in range(4):
        assert taken_in_turn(counts, threads, seed) == expected
