"""A file of prompts that is read again whenever it is saved. One that is broken changes nothing, and is said once."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from streamaffect.errors import StreamAffectError

log = logging.getLogger(__name__)

POLL_S = 0.3

Stamp = tuple[int, int, int] | None  # None: there is no file


class PromptFile:
    """Watches from its construction until `close`, on a thread of its own.

    take: is called when the file has changed. Raises StreamAffectError where that cannot be taken over
    """

    def __init__(self, path: Path, take: Callable[[], None], *, poll_s: float = POLL_S) -> None:
        self._path = path
        self._take = take
        self._poll_s = poll_s
        self._stamp = _stamp(path)
        self._said = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prompts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        before = self._stamp
        while not self._closed.wait(self._poll_s):
            now = _stamp(self._path)
            # An editor may write in several steps, or move the file away first: it counts once it has come to rest.
            if now == before and now != self._stamp:
                self._stamp = now
                self._changed()
            before = now

    def _changed(self) -> None:
        try:
            self._take()
        except StreamAffectError as error:
            if (text := str(error)) != self._said:
                log.warning("%s; the prompts stay as they were", text)
            self._said = text
        except Exception as error:
            log.error("%s: %s: %s", self._path, type(error).__name__, error)
        else:
            self._said = ""


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
