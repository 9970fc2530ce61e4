"""The list of allowed clients in memory, kept up to date by a thread of its own, since reading files may take long."""

import logging
import threading
import time
from pathlib import Path

from streamaffect.feed.allowed import load_allowed, read_allowed

log = logging.getLogger(__name__)

PERIOD_S = 0.5
PAUSE_S = 0.1  # between two readings, however many ask for one
JOIN_S = 1.0


class AllowList:
    """The public keys that lie in a folder.

    begun, completed: the number of the reading that was begun, and of the one that was completed, last

    Raises WireError where the list is not usable at the start. Later it stays as it was while it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.begun = self.completed = 0
        self._folder = folder
        self._allowed = load_allowed(folder)
        self._wanted = threading.Event()
        self._stop = False
        self._complaint = ""
        self._thread = self._started()

    def __contains__(self, key: bytes) -> bool:
        return key in self._allowed.keys

    def refresh_soon(self) -> None:
        """Ask for a reading now rather than a little later."""
        self._wanted.set()

    def watch(self) -> None:
        """Start the thread again should it have died."""
        if not self._thread.is_alive() and not self._stop:
            self._thread = self._started()

    def close(self) -> None:
        """Stop reading; a reading that hangs is left behind."""
        self._stop = True
        self._wanted.set()
        self._thread.join(JOIN_S)

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="allowed-clients", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while not self._stop:
            self._wanted.wait(PERIOD_S)
            self._wanted.clear()
            self.begun += 1
            try:
                self._allowed = read_allowed(self._folder, self._allowed)
                self._complaint = ""
            except Exception as error:
                self._complain(f"{type(error).__name__}: {error}")
            self.completed = self.begun
            if not self._stop:
                time.sleep(PAUSE_S)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            log.warning("the list of allowed clients cannot be read and stays as it was: %s", complaint)
