"""A thread of its own for captures that block: the newest frame wins, and nobody ever waits for native code.

Reads can hang in a driver or the network for longer than a shutdown may take, and releasing a capture while another
thread reads it crashes. So one daemon thread opens, reads and releases the capture; readers wait for its result with a
timeout; closing abandons it, and it ends by itself when its native call returns.
"""

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Protocol

from streamaffect.errors import SourceEndedError, SourceError, SourceOpenError, SourceStalledError
from streamaffect.types import ImageArray, Picture

JOIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """What a capture gave: a picture, None where one was lost; and the monotonic time at which it came."""

    picture: ImageArray | Picture | None
    grabbed_ns: int


class Capture(Protocol):
    """An open connection to a camera. One thread uses it."""

    @property
    def fps(self) -> float | None:
        """Frames per second as the capture states them, None where it does not."""
        ...

    @property
    def slack_s(self) -> float:
        """Seconds of silence beyond the usual that mean nothing."""
        ...

    def read(self) -> Look | None:
        """Wait for the next picture; None now and then, where none is there yet.

        Raises:
            SourceStalledError: none will come.
        """
        ...

    def release(self) -> None:
        """Let go of the camera."""
        ...


@dataclass(frozen=True, slots=True)
class Grabbed:
    """A picture, its number among all that were grabbed since the connection, and its monotonic time."""

    picture: ImageArray | Picture
    number: int
    grabbed_ns: int


class Grabber:
    """Reads a capture in the background and keeps its newest frame.

    `connect` runs in the background too; it returns an open capture or raises a `SourceError`.
    `cancel` ends what it waits for, as far as that is possible; `close` calls it.
    `label` is what messages call the source, without credentials.
    """

    def __init__(self, connect: Callable[[], Capture], *, cancel: Callable[[], None], label: str) -> None:
        self._connect = connect
        self._cancel = cancel
        self._label = label
        self._changed = threading.Condition()
        self._capture: Capture | None = None
        self._newest: Grabbed | None = None
        self._taken = -1
        self._failure: SourceError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"grab {label}", daemon=True)
        self._thread.start()

    @property
    def fps(self) -> float | None:
        """Frames per second as the capture states them, None where it does not; known once a frame was there."""
        return self._capture.fps if self._capture else None

    def first(self, timeout_s: float) -> Grabbed | None:
        """Wait for the first frame without taking it; None after `timeout_s`.

        Raises:
            SourceError: connecting or reading failed.
            SourceEndedError: `close` was called.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._failure or self._closed, timeout_s)
            self._raise_if_over(waiting=self._newest is None)
            return self._newest

    def take(self, timeout_s: float) -> Grabbed:
        """Wait for a frame that was not taken before; the capture's own slack is added to `timeout_s`.

        Raises:
            SourceStalledError: none came within that time, or the capture broke.
            SourceEndedError: `close` was called.
        """
        timeout_s += self._capture.slack_s if self._capture else 0.0
        with self._changed:
            self._changed.wait_for(lambda: self._fresh() or self._failure or self._closed, timeout_s)
            fresh = self._fresh()
            self._raise_if_over(waiting=fresh is None)
            if fresh is None:
                raise SourceStalledError(f"{self._label}: no frame for {timeout_s:g} s")
            self._taken = fresh.number
            return fresh

    def close(self) -> None:
        """End every wait at once; the thread ends when its native call returns."""
        with self._changed:
            self._closed = True
            self._newest = None
            self._changed.notify_all()
        self._cancel()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _fresh(self) -> Grabbed | None:
        return self._newest if self._newest and self._newest.number > self._taken else None

    def _raise_if_over(self, *, waiting: bool) -> None:
        if self._closed:
            raise SourceEndedError(f"{self._label}: was closed")
        if waiting and self._failure:
            raise copy(self._failure)  # what is raised gets to know its readers

    def _run(self) -> None:
        try:
            capture = self._capture = self._connect()
        except SourceError as error:
            self._fail(error)
            return
        except Exception as error:  # nobody else would hear of it
            self._fail(SourceOpenError(f"{self._label}: {type(error).__name__}: {error}"))
            return
        try:
            self._read(capture)
        except SourceError as error:
            self._fail(error)
        except Exception as error:
            self._fail(SourceStalledError(f"{self._label}: {type(error).__name__}: {error}"))
        finally:
            capture.release()

    def _read(self, capture: Capture) -> None:
        number = 0
        while not self._closed:
            look = capture.read()
            if look is None:
                continue
            if look.picture is not None:
                self._publish(Grabbed(look.picture, number, look.grabbed_ns))
            number += 1

    def _publish(self, grabbed: Grabbed) -> None:
        with self._changed:
            if not self._closed:
                self._newest = grabbed
            self._changed.notify_all()

    def _fail(self, error: SourceError) -> None:
        # What an error remembers of where it was raised holds the capture, with buffers of megabytes.
        error.__cause__ = error.__context__ = None
        with self._changed:
            self._failure = error.with_traceback(None)
            self._changed.notify_all()
