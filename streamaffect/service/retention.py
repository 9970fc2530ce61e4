"""How long recordings are kept: those in the folder of a run that were last written to so many days ago are removed.

Only what begins as our recordings do is one of them; whatever else lies in the folder, a link, or a file that is about
to be written, is left alone.
"""

import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from streamaffect.recordings.header import BEGINNING

log = logging.getLogger(__name__)

DAY_S = 86_400.0
LOOK_AGAIN_S = 3600.0


class Retention:
    """Removes old recordings from a folder, now and each hour, in a thread of its own.

    keep_days: days that a recording stays, from when it was last written to; 0 keeps all. May be changed at any time
    spared:    files that are never removed, however old
    """

    def __init__(self, folder: Path, keep_days: float, *, spared: Collection[Path] = ()) -> None:
        self.folder = folder
        self._keep_days = keep_days
        self._spared = frozenset(spared)
        self._changed = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def keep(self, days: float) -> None:
        """Keep recordings so long from here on."""
        self._keep_days = days
        self._changed.set()

    def close(self) -> None:
        """Remove nothing any more; a slow disk is not waited for."""
        self._closed = True
        self._changed.set()

    def _run(self) -> None:
        while not self._closed:
            if self._keep_days > 0.0:
                remove_old(self.folder, self._keep_days, spared=self._spared)
            self._changed.wait(LOOK_AGAIN_S)
            self._changed.clear()


def remove_old(folder: Path, keep_days: float, *, spared: Collection[Path] = ()) -> list[Path]:
    """Remove the recordings in `folder` that are older, and say each in the log; returns them, sorted."""
    removed = []
    for path in sorted(_files(folder)):
        try:
            age_s = time.time() - path.lstat().st_mtime
            if age_s > keep_days * DAY_S and not _is_spared(path, spared) and _remove_recording(path):
                removed.append(path)
                log.warning("%s: removed: recorded %.1f days ago (--keep-days %g)", path, age_s / DAY_S, keep_days)
        except FileNotFoundError:
            continue  # somebody else was faster
        except OSError as error:
            log.warning("%s: is older than --keep-days %g and cannot be removed (%s)", path, keep_days, error.strerror)
    return removed


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if stat.S_ISREG(path.lstat().st_mode))
    except OSError as error:
        log.warning("%s: old recordings cannot be looked for (%s)", folder, error.strerror)


def _is_spared(path: Path, spared: Collection[Path]) -> bool:
    return any(other.exists() and path.samefile(other) for other in spared)


def _remove_recording(path: Path) -> bool:
    """Remove a file if it is a recording that nobody writes; False where it was left."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if file.read(len(BEGINNING)) != BEGINNING:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # another run writes it
        opened, found = os.fstat(descriptor), path.lstat()
        if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
            return False
        path.unlink()
    return True
