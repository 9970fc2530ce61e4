"""The process that ends this one when nothing in it can: a native call that hangs and holds the interpreter's lock.

No thread of Python's runs then, and no handler of a signal does; the system still writes each signal's number to a
pipe. A small process of its own looks at that pipe, and ends ours when a signal has been there for too long. It ends
with ours, whichever way that goes.
"""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

log = logging.getLogger(__name__)

# Its arguments: the pipe with the signals, one that ends with our run, our process, the seconds after a signal, and
# which signals ask for an end.
# A signal's number is looked at and left there, for the thread that hears of signals; that one passes on what it took.
# Some signals ask for no end: that of a stop, which may last for hours, of its end, of a terminal's new size.
_PROGRAM = """
import os, select, signal, socket, sys, time
signals, run = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
process, within_s = int(sys.argv[3]), float(sys.argv[4])
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
    signal.signal(number, signal.SIG_IGN)
deadly = set(map(int, sys.argv[5:]))
while not select.select([signals, run], [], [])[0].count(run):
    try:
        if deadly & set(signals.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT)):
            break
    except BlockingIOError:
        continue
    time.sleep(0.2)
else:
    if not run.recv(1):
        os._exit(0)
deadline = time.monotonic() + within_s
while select.select([run], [], [], max(0.0, deadline - time.monotonic()))[0]:
    if not run.recv(16):
        os._exit(0)
if os.getppid() == process:
    try:
        os.write(2, b"streamaffect: ended by force, since a native call held the whole process\\n")
    except OSError:
        pass
    os.kill(process, signal.SIGKILL)
os._exit(0)
"""


class LastResort:
    """A handle to that process."""

    def __init__(self, run: socket.socket | None) -> None:
        self._run = run

    def asked(self) -> None:
        """Tell it that a signal has come, whose number it may not have seen."""
        if self._run is not None:
            try:
                self._run.send(b"!")
            except OSError as error:
                log.debug("last resort: %s", error)


@contextmanager
def last_resort(signals: socket.socket, within_s: float, deadly: Sequence[int]) -> Iterator[LastResort]:
    """Have this process killed `within_s` after a `deadly` number arrives at `signals`, if the block is not over then.

    Where no process can be started for that, the block runs without.
    """
    theirs, ours = socket.socketpair()
    process = _started(signals, theirs, within_s, deadly)
    theirs.close()
    try:
        yield LastResort(ours if process is not None else None)
    finally:
        ours.close()
        if process is not None:
            process.kill()
            process.wait()


def _started(
    signals: socket.socket, theirs: socket.socket, within_s: float, deadly: Sequence[int]
) -> "subprocess.Popen[bytes] | None":
    if not sys.executable or getattr(sys, "frozen", False):  # no interpreter of its own that could run a program
        return None
    descriptors = (signals.fileno(), theirs.fileno())
    words = [sys.executable, "-I", "-S", "-c", _PROGRAM, *map(str, descriptors), str(os.getpid()), str(within_s)]
    words += [str(int(number)) for number in deadly]
    try:
        return subprocess.Popen(
            words, pass_fds=descriptors, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        log.debug("without a last resort: %s", error)
        return None
