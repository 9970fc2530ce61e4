"""What passes between threads: nothing is lost or reordered where it must not be, and everybody wakes up at the end."""

import pytest

from streamaffect.pipeline.channel import Channel, Closed
from tests.support.threads import SOON_S, Threads, is_waiting, threads

__all__ = ["threads"]


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


def test_a_producer_that_waits_goes_on_when_half_of_the_channel_is_empty(threads: Threads) -> None:
    channel: Channel[int] = Channel(4, newest_wins=False)
    for i in range(4):
        channel.put(i)
    put = threads.start(lambda: channel.put(4))
    assert is_waiting(put)
    assert channel.get() == 0
    assert is_waiting(put)
    assert channel.get() == 1
    put.result(SOON_S)
    channel.close()
    assert drain(channel) == [2, 3, 4]


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


def test_waiting_for_an_item_leaves_it_there(threads: Threads) -> None:
    channel: Channel[int] = Channel(1, newest_wins=True)
    waited = threads.start(channel.wait)
    assert is_waiting(waited)
    channel.put(1)
    waited.result(SOON_S)
    channel.put(2)  # and it can still be replaced
    assert channel.get() == 2
    channel.close()
    with pytest.raises(Closed):
        channel.wait()


def test_polling_gives_nothing_where_nothing_comes_in_time() -> None:
    channel: Channel[int] = Channel(1, newest_wins=False)
    assert channel.poll(0.0) is None
    channel.put(3)
    channel.close()
    assert channel.poll(SOON_S) == 3
    with pytest.raises(Closed):
        channel.poll(SOON_S)


def test_swapping_replaces_what_waits_and_puts_nothing_where_nothing_does() -> None:
    channel: Channel[int] = Channel(1, newest_wins=True)
    assert channel.swap(1) is None
    assert channel.poll(0.0) is None
    channel.put(1)
    assert channel.swap(2) == 1
    assert channel.get() == 2
