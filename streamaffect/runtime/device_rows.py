"""Vectors in the GPU's memory: rows that are claimed, gathered and handed back, as many as are needed at a time."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.cuda import CudaStream, DeviceBuffer
from streamaffect.types import RowArray

FIRST_ROWS = 256


class DeviceRows:
    """float32 vectors of one width. Copies are queued on the stream; only growing waits for it.

    rows: how many there is room for at first; the room doubles whenever more are claimed
    """

    def __init__(self, width: int, stream: CudaStream, *, rows: int) -> None:
        self._row_bytes = 4 * width
        self._stream = stream
        self._buffer = DeviceBuffer(rows * self._row_bytes)
        # Taken in the order in which they came back, so that the rows of one face mostly lie one after the other.
        self._unused: deque[int] = deque(range(rows))
        self._size = rows

    @property
    def used(self) -> int:
        """Rows that were given out and not handed back."""
        return self._size - len(self._unused)

    def keep(self, source_address: int, count: int) -> RowArray:
        """Copy `count` vectors from the GPU's memory into rows of their own: (count, 1).

        Raises EngineError where the GPU has no room for so many.
        """
        while len(self._unused) < count:
            self._grow()
        rows = np.array([self._unused.popleft() for _ in range(count)], np.int64)
        for place, first, length in _runs(rows):
            source = source_address + place * self._row_bytes
            self._stream.copy(self._address(first), source, length * self._row_bytes)
        return rows[:, None]

    def gather(self, target_address: int, rows: RowArray) -> None:
        """Copy these rows, of any shape, one after the other to a place in the GPU's memory."""
        for place, first, length in _runs(rows.ravel()):
            target = target_address + place * self._row_bytes
            self._stream.copy(target, self._address(first), length * self._row_bytes)

    def free(self, rows: RowArray) -> None:
        """Hand rows back. What they hold stays until they are claimed again."""
        self._unused.extend(rows.ravel().tolist())

    def close(self) -> None:
        """Free the memory. Calling it again does nothing."""
        self._buffer.close()

    def _grow(self) -> None:
        old, size_bytes = self._buffer, self._size * self._row_bytes
        try:
            new = DeviceBuffer(2 * size_bytes)
        except EngineError as error:
            raise EngineError(
                f"{2 * self._size} features or clips do not fit into the GPU's memory ({error}); follow fewer faces "
                "(tracker.max_faces), close other programs that use the GPU, or leave engine.device_clips off"
            ) from None
        self._buffer = new
        self._stream.copy(int(new.address), int(old.address), size_bytes)
        self._stream.wait()
        old.close()
        self._unused.extend(range(self._size, 2 * self._size))
        self._size *= 2

    def _address(self, row: int) -> int:
        return int(self._buffer.address) + row * self._row_bytes


def _runs(rows: RowArray) -> Iterator[tuple[int, int, int]]:
    """Rows that follow each other in memory, to be copied at once: the place of the first, its row, and how many."""
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield int(start), int(rows[start]), int(end - start)
