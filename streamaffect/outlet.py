"""Standard output and error of a program that must not wait for who reads them, nor show a password.

A terminal that is stopped and a pipe that is full make every `write` wait, in whatever thread it is called, and with it
cameras, signals and the end of the process. Here a thread of its own writes, what finds no room is dropped and counted,
and every line goes through the removal of credentials and through the encoding that the output has.
"""

import io
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from streamaffect.redaction import redact

ROOM_BYTES = 1 << 18
RETRY_S = 0.1
LAST_WORDS_S = 0.5
STDOUT, STDERR = 1, 2


class Outlet(io.TextIOBase):
    """A text file over a descriptor whose writers never wait.

    remarks:   True where it says how many lines nobody has read, once somebody reads again
    complaint: why nothing can be written any more; None where it can, and where its reader has gone
    dress:     what makes of a line the one that is written, from its text and the time (UTC seconds); None leaves it
    """

    def __init__(self, descriptor: int, *, encoding: str, remarks: bool) -> None:
        super().__init__()
        self._named = descriptor
        self._descriptor = os.dup(descriptor)  # its own, since native code's output may be led elsewhere for a moment
        self._encoding = encoding
        self._remarks = remarks
        self._begun = ""
        self._queue: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self.complaint: str | None = None
        self.dress: Callable[[str, float], str] | None = None
        self._broken = self._retired = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the output; what it has no sign for becomes a question mark."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of characters that the encoding lacks."""
        return "replace"

    @property
    def dropped(self) -> int:
        """Lines that have been dropped since they were last mentioned."""
        return self._dropped

    def fileno(self) -> int:
        """The descriptor, for those who write past this."""
        return self._named

    def isatty(self) -> bool:
        """True for a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """It can only be written."""
        return True

    def write(self, text: str) -> int:
        """Queue the complete lines, and keep the rest until it is one or until `flush`."""
        with self._changed:
            complete, newline, self._begun = (self._begun + text).rpartition("\n")
            if newline:
                self._put(complete + newline)
        return len(text)

    def flush(self) -> None:
        """Queue what is there, without waiting for it to be written."""
        with self._changed:
            if self._begun:
                begun, self._begun = self._begun, ""
                self._put(begun)

    def write_ready(self, line: str) -> None:
        """Queue a whole line as it is: whoever has made it has removed the credentials."""
        with self._changed:
            self._queue_up(line)

    def drain(self, timeout_s: float | None) -> bool:
        """Wait until everything is written, at most so long. False where something is left."""
        self.flush()
        with self._changed:
            return self._changed.wait_for(lambda: self._broken or not self._waiting_bytes, timeout_s)

    def retire(self) -> None:
        """End the thread once it has written what is there; nothing may be written any more."""
        with self._changed:
            if self._thread is None and not self._retired:
                os.close(self._descriptor)
            self._retired = True
            self._changed.notify_all()

    def _put(self, text: str) -> None:
        self._queue_up(self._dressed(redact(text)))

    def _dressed(self, text: str) -> str:
        if self.dress is None:
            return text
        now_s = time.time()
        return "".join(f"{self.dress(line, now_s)}\n" for line in text.splitlines() if line.strip())

    def _queue_up(self, text: str) -> None:
        content = text.encode(self._encoding, "replace")
        if self._broken or self._retired:
            return
        # What is missing is missing in one piece: once there was no room, half of it has to be free again.
        room = ROOM_BYTES // 2 if self._dropped else ROOM_BYTES
        if self._waiting_bytes + len(content) > room:
            self._dropped += max(1, text.count("\n"))
            return
        if self._dropped and self._remarks:
            remark = f"({self._dropped} lines were dropped here, since nobody read this output)\n"
            content = self._dressed(remark).encode(self._encoding, "replace") + content
        self._dropped = 0
        self._queue.append(content)
        self._waiting_bytes += len(content)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"output-{self._named}", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._retired)
                if not self._queue:
                    break
                content = self._queue.popleft()
            try:
                self._write_all(content)
            except OSError as error:  # nobody will read it any more, or the disk is full
                self._broken = True
                self.complaint = None if isinstance(error, BrokenPipeError) else error.strerror
            with self._changed:
                self._waiting_bytes -= len(content)
                if self._broken:
                    self._queue.clear()
                    self._waiting_bytes = 0
                self._changed.notify_all()
        os.close(self._descriptor)

    def _write_all(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], RETRY_S)
            except InterruptedError:
                continue


def open_descriptors() -> None:
    """Open what the caller has closed of standard input, output and error, so that no file of ours gets its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or _nowhere(STDOUT)
    sys.stderr = sys.stderr or _nowhere(STDERR)


@contextmanager
def outlets(*descriptors: int, nobody_waits: bool) -> Iterator[None]:
    """Let what is written to these pass an outlet; at the end, half a second for the last words.

    nobody_waits: native code is not to wait either
    Only the interpreter's own files are replaced: what a test or a program has put in their place is left there.
    """
    with ExitStack() as stack:
        for descriptor in descriptors:
            name = "stdout" if descriptor == STDOUT else "stderr"
            own = getattr(sys, name)
            if own is None or own is not getattr(sys, f"__{name}__"):
                continue
            with suppress(OSError, ValueError):
                own.flush()
            if nobody_waits:
                stack.enter_context(_without_waiting(descriptor))
            outlet = Outlet(descriptor, encoding=own.encoding, remarks=descriptor == STDERR)
            stack.callback(outlet.retire)
            setattr(sys, name, outlet)
            stack.callback(setattr, sys, name, own)
        stack.callback(last_words)
        yield


def finish_stdout(timeout_s: float | None) -> str | None:
    """Bring out what standard output still holds. The reason where that is impossible; None where nobody reads it.

    What could not be written is given up, so that the interpreter's end doesn't stumble over it.
    """
    if isinstance(sys.stdout, Outlet):
        sys.stdout.drain(timeout_s)
        return sys.stdout.complaint
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_stdout()
    except OSError as error:
        give_up_stdout()
        return error.strerror
    return None


def give_up_stdout() -> None:
    """Let whatever is still written to standard output go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def last_words() -> None:
    """Wait until what was written to standard output and error is out, at most half a second."""
    deadline_s = time.monotonic() + LAST_WORDS_S
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Outlet):
            stream.drain(max(0.0, deadline_s - time.monotonic()))


@contextmanager
def _without_waiting(descriptor: int) -> Iterator[None]:
    """Also native code writes to standard error, from threads that must go on: at a pipe or terminal it gets EAGAIN.

    The descriptor is opened anew for that, since others share the old one: the shell, and what runs beside us.
    """
    mode = os.fstat(descriptor).st_mode
    before: int | None = None
    if stat.S_ISFIFO(mode) or (stat.S_ISCHR(mode) and os.isatty(descriptor)):
        with suppress(OSError):  # no /proc, no permission: then native code waits, and we don't
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            before = os.dup(descriptor)
            os.dup2(own, descriptor)
            os.close(own)
    try:
        yield
    finally:
        if before is not None:
            os.dup2(before, descriptor)
            os.close(before)


def _nowhere(descriptor: int) -> io.TextIOWrapper:
    return open(descriptor, "w", encoding="utf-8", closefd=False)
