"""A group's process: the very run that `streamaffect run` is, in a thread, and what its supervisor can ask of it.

The run publishes at an address of its own, to which the supervisor's proxy subscribes: a socket in a folder of this
user on the supervisor's machine, and on others an encrypted port that lets in the proxy alone. Its keys are made here
and never leave the process. Where nobody asks for long, the supervisor is gone or cut off: the process ends itself.
"""

import logging
import os
import resource
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import cv2

from streamaffect.config import Config, checked_config
from streamaffect.control.desk import Desk
from streamaffect.errors import ControlError, StreamAffectError
from streamaffect.feed.commands import Command, Reply, Status, Stop, decode_command
from streamaffect.feed.key_files import load_public, write_key_file
from streamaffect.fleet.reports import Report, decode_order, encode
from streamaffect.redaction import clean, remembering
from streamaffect.verbs.run import run
from streamaffect.verbs.signals.ending import leave_at_once

log = logging.getLogger(__name__)

LOG_KEPT = 100
WATCH_S = 0.5
PATIENCE_S = 3.0  # with a run that was told to stop
OF_A_SERVICE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
EXIT_FAILED, EXIT_USER = 1, 2
OPENCV_THREADS = "OPENCV_FOR_THREADS_NUM"


class Worker:
    """A run from construction on. Every method may be called from any thread, and `wait` alone waits.

    order:   an `Order` as JSON
    abandon: what ends this process when nobody asks any more
    """

    def __init__(self, order: bytes, *, abandon: Callable[[], object] = lambda: leave_at_once(EXIT_FAILED)) -> None:
        _leave_opencv_one_thread()
        self._order = decode_order(order)
        self._abandon = abandon
        self._asked_s = time.monotonic()
        self._over = threading.Event()
        self._desk: Desk | None = None
        self._feed = self._key = self._error = ""
        self._code = 0
        self._is_stopping = False
        self._log: deque[str] = deque(maxlen=LOG_KEPT)
        threading.Thread(target=self._run, name="run", daemon=True).start()
        threading.Thread(target=self._watch, name="lease", daemon=True).start()

    def report(self) -> bytes:
        """How the run does, as a `Report` in JSON; whoever asks keeps this process alive."""
        self._asked_s = time.monotonic()
        lines = []
        with suppress(IndexError):
            while True:
                lines.append(self._log.popleft())
        state = "over" if self._over.is_set() else "starting" if self._desk is None else "running"
        used = resource.getrusage(resource.RUSAGE_SELF)
        return encode(
            Report(
                state=state,
                feed=self._feed,
                key=self._key,
                code=self._code,
                error=self._error,
                log=lines,
                process=os.getpid(),
                cpu_s=used.ru_utime + used.ru_stime,
                memory_mb=used.ru_maxrss / 1024,
            )
        )

    def do(self, command: bytes) -> bytes:
        """Carry out a command of docs/control.md, and return the reply; both in JSON."""
        try:
            return encode(self._desk_now().do(decode_command(command), origin="fleet"))
        except StreamAffectError as error:
            return encode(Reply(ok=False, error=str(error)))

    def stop(self) -> None:
        """End the run in order, soon."""
        self._is_stopping = True
        if self._desk is not None:
            self._tell(self._desk, Stop())

    def wait(self) -> bytes:
        """Wait for the end of the run, and return the last report."""
        self._over.wait()
        return self.report()

    def _run(self) -> None:
        handler = _Lines(self._log)
        logging.getLogger().addHandler(handler)
        for name in OF_A_SERVICE:  # of the supervisor
            os.environ.pop(name, None)
        try:
            with remembering(), ExitStack() as stack:
                self._code = run(self._config(stack), display=False, opened=self._opened)
        except StreamAffectError as error:
            self._error, self._code = str(error), EXIT_FAILED if error.transient else EXIT_USER
        except BaseException as error:
            log.debug("where it happened", exc_info=error)
            self._error, self._code = clean(f"{type(error).__name__}: {error}"), EXIT_FAILED
        finally:
            logging.getLogger().removeHandler(handler)
            self._over.set()

    def _opened(self, desk: Desk) -> None:
        reply = desk.do(Status(), origin="fleet")
        self._feed = "" if reply.run is None else reply.run.feed
        self._desk = desk
        if self._is_stopping:
            self._tell(desk, Stop())

    def _config(self, stack: ExitStack) -> Config:
        """The settings of the order, with the address and the keys of the feed."""
        feed: dict[str, object] = {"max_subscribers": 4}
        if self._order.host:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamaffect-keys-")))
            feed |= self._keys(folder) | {"bind": f"tcp://{_bracketed(self._order.host)}:*"}
        else:
            feed["bind"] = f"ipc://{self._order.socket}"
        fixed = {"feed": feed, "control": {"bind": "off"}}
        return checked_config([("fleet", self._order.settings), ("fleet", fixed)])

    def _keys(self, folder: Path) -> dict[str, object]:
        import zmq

        secret, allowed = folder / "server.key_secret", folder / "allowed"
        allowed.mkdir()
        write_key_file(secret, *zmq.curve_keypair())
        write_key_file(allowed / "fleet.key", self._order.reader.encode())
        self._key = load_public(secret).decode()
        return {"server_key": str(secret), "allowed_clients": str(allowed)}

    def _desk_now(self) -> Desk:
        if self._desk is None or self._over.is_set():
            raise ControlError(f"group {self._order.group} does not run at the moment", transient=True)
        return self._desk

    def _tell(self, desk: Desk, command: Command) -> None:
        try:
            desk.do(command, origin="fleet")
        except StreamAffectError as error:
            log.info("%s", error)

    def _watch(self) -> None:
        """End everything when nobody has asked for too long."""
        while not self._over.wait(WATCH_S):
            if time.monotonic() - self._asked_s > self._order.silence_s:
                log.warning("the supervisor has not asked for %g s; this run ends", self._order.silence_s)
                self.stop()
                self._over.wait(PATIENCE_S)
                self._abandon()
                return


def _leave_opencv_one_thread() -> None:
    """As in every run, since OpenCV's threads would spin beside ours; in a cluster of others no setting says so."""
    if OPENCV_THREADS not in os.environ:
        cv2.setNumThreads(1)


class _Lines(logging.Handler):
    """Keeps warnings as lines without credentials."""

    def __init__(self, lines: deque[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(clean(record.getMessage()))
        except Exception:
            self.handleError(record)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
