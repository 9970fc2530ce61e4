"""A thread of its own for captures that block: the newest frame wins, and nobody ever waits for native code.

OpenCV's reads can hang in the driver or the network for longer than a shutdown may take, and releasing a capture
while another thread reads it crashes. So one daemon thread opens, reads and releases the capture; readers wait for
its result with a timeout; closing abandons it, and it ends by itself when its native call returns.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceEndedError, SourceError, SourceStalledError
from streamaffect.sources.capture import retrieve
from streamaffect.types import ImageArray

JOIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Grabbed:
    """A picture, its number among all that were grabbed since the connection, and its monotonic time."""

    image: ImageArray
    number: int
    grabbed_ns: int


class Grabber:
    """Reads a capture in the background and keeps its newest frame.

    `connect` runs in the background too; it returns an open capture or raises a `SourceError`.
    `label` is what messages call the source, without credentials.
    """

    def __init__(self, connect: Callable[[], cv2.VideoCapture], *, label: str) -> None:
        self._connect = connect
        self._label = label
        self._changed = threading.Condition()
        self._newest: Grabbed | None = None
        self._taken = -1
        self._failure: SourceError | None = None
        self._fps = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"grab {label}", daemon=True)
        self._thread.start()

    @property
    def fps(self) -> float:
        """Frames per second as the capture states them, 0 where it does not; known once a frame was there."""
        return self._fps

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
        """Wait for a frame that was not taken before.

        Raises:
            SourceStalledError: none came within `timeout_s`, or the capture broke.
            SourceEndedError: `close` was called.
        """
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
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _fresh(self) -> Grabbed | None:
        return self._newest if self._newest and self._newest.number > self._taken else None

    def _raise_if_over(self, *, waiting: bool) -> None:
        if self._closed:
            raise SourceEndedError(f"{self._label}: was closed")
        if waiting and self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            capture = self._connect()
        except SourceError as error:
            self._fail(error)
            return
        try:
            self._fps = capture.get(cv2.CAP_PROP_FPS)
            self._read(capture)
        finally:
            capture.release()

    def _read(self, capture: cv2.VideoCapture) -> None:
        number = 0
        while not self._closed:
            if not capture.grab():
                self._fail(SourceStalledError(f"{self._label}: the connection broke after {number} frames"))
                return
            grabbed_ns = monotonic_ns()
            image = retrieve(capture)
            if image is not None:
                self._publish(Grabbed(image, number, grabbed_ns))
            number += 1

    def _publish(self, grabbed: Grabbed) -> None:
        with self._changed:
            self._newest = grabbed
            self._changed.notify_all()

    def _fail(self, error: SourceError) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()
