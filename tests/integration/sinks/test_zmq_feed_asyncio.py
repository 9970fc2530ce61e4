"""A subscriber in a program of asyncio, over a real feed."""

import asyncio

import pytest

from streamaffect.errors import FeedTimeoutError
from streamaffect.feed.client import Subscriber
from streamaffect.messages import Estimate, Message
from tests.support.control.desks import meta
from tests.support.feeds import WAIT_S, Feed, publishing
from tests.support.recordings import estimate_at


async def first(feed: Subscriber, count: int) -> list[Estimate]:
    found: list[Estimate] = []
    async for estimate in feed:
        found.append(estimate)
        if len(found) == count:
            break
    return found


def test_estimates_come_in_order_and_the_loop_does_other_things_meanwhile() -> None:
    async def program(feed: Feed) -> tuple[list[Estimate], int]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        async with asyncio.timeout(WAIT_S), Subscriber(feed.address) as subscriber:
            beside = asyncio.create_task(other())
            reading = asyncio.create_task(first(subscriber, 20))
            while subscriber.meta("clip") is None:
                await asyncio.sleep(0.01)
            before = turns
            await asyncio.sleep(0.1)
            feed.put(*(estimate_at(i / 10, stream="clip", seq=i) for i in range(20)))
            found = await reading
            beside.cancel()
            return found, turns - before

    with publishing(said=[meta("clip")]) as feed:
        found, turns = asyncio.run(program(feed))
    assert [estimate.seq for estimate in found] == list(range(20))
    assert turns > 0


def test_closing_ends_the_loop_and_silence_is_an_error() -> None:
    async def program(address: str) -> list[Message]:
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(FeedTimeoutError, match=r"nothing came for 0\.1 s"):
                async with Subscriber(address, timeout_s=0.1) as silent:
                    await first(silent, 1)
            subscriber = Subscriber(address)
            asyncio.get_running_loop().call_later(0.1, subscriber.close)
            return [message async for message in subscriber.amessages()]

    with publishing() as feed:
        assert asyncio.run(program(feed.address)) == []


def test_a_loop_that_was_cancelled_or_closed_is_woken_no_more() -> None:
    async def give_up(subscriber: Subscriber) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await first(subscriber, 1)

    with publishing() as feed, Subscriber(feed.address) as subscriber:
        asyncio.run(give_up(subscriber))
        feed.put(meta("clip"))
        assert subscriber.receive(WAIT_S) is not None
        assert not subscriber._calls
