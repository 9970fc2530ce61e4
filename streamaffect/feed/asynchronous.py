"""A subscriber in a program of asyncio: waiting for messages leaves the event loop to others.

The subscriber's own thread wakes the loop; nothing is polled, and no thread of a pool is taken.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from streamaffect.errors import FeedTimeoutError
from streamaffect.messages import Estimate, Message


class Waited(Protocol):
    """What is needed of a subscriber; see `streamaffect.feed.client.Subscriber`."""

    timeout_s: float | None

    @property
    def connection(self) -> str:
        """`closed` once it is."""
        ...

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message."""
        ...

    def calling(self, call: Callable[[], None]) -> AbstractContextManager[None]:
        """Have something called, in any thread, when a message comes or the subscriber is closed."""
        ...

    def silence(self) -> FeedTimeoutError:
        """What to raise when nothing has come for too long."""
        ...


async def messages_of(feed: Waited) -> AsyncGenerator[Message, None]:
    """Messages of every kind as they come, until the subscriber is closed. Raises FeedTimeoutError."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(news.set)

    with feed.calling(wake):
        while True:
            news.clear()
            message = feed.receive(0.0)
            if message is not None:
                yield message
                await asyncio.sleep(0)  # of many that wait, none holds the loop up
            elif feed.connection == "closed":
                return
            else:
                try:
                    await asyncio.wait_for(news.wait(), feed.timeout_s)
                except TimeoutError:
                    raise feed.silence() from None


async def estimates_of(feed: Waited) -> AsyncGenerator[Estimate, None]:
    """The estimates among them."""
    async for message in messages_of(feed):
        if isinstance(message, Estimate):
            yield message
