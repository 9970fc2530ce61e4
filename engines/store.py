"""The writing side of the engine cache: one build at a time, and an engine that is there whole or not at all.

Reading, and the checks that make loading safe, are in `streamaffect.runtime.engine_cache`.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streamaffect.errors import EngineError
from streamaffect.runtime.engine_cache import CachedEngine, cache_folder, check_cache_folder, load_entry
from streamaffect.runtime.engine_record import ENGINE_FILE, BenchReport, EngineRecord, VerifyReport

LOCK = ".lock"
UNFINISHED = ".part"


@dataclass(frozen=True, slots=True)
class EngineStore:
    """The cache under `root`, created when something is written."""

    root: Path

    @classmethod
    def default(cls) -> "EngineStore":
        """The user's own cache."""
        return cls(cache_folder())

    @contextmanager
    def locked(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the cache alone; `on_wait` is called once where another build has it.

        One lock for all engines: two builds at once would also spoil each other's times.
        Raises EngineError where the cache cannot be written.
        """
        with self._writing():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_cache_folder(self.root)
            lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._sweep()
            yield
        finally:
            os.close(lock)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A private folder to build in, on the cache's file system; whatever is left in it is removed."""
        # The name comes first, so that an interrupt between creating the folder and using it finds it too.
        folder = self.root / f".{secrets.token_hex(8)}{UNFINISHED}"
        try:
            with self._writing():
                folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, workspace: Path, record: EngineRecord) -> CachedEngine:
        """Turn a workspace that holds the record's graphs into the engine of that key, replacing an older one."""
        target = self.root / record.key.digest
        with self._writing():
            for graph in record.graphs.values():
                _make_private(workspace / graph.file)
            _write(workspace / ENGINE_FILE, msgspec.json.format(msgspec.json.encode(record)))
            outdated = workspace.with_name(f".{target.name}.old{UNFINISHED}")
            try:
                if target.exists():
                    target.rename(outdated)
                workspace.rename(target)
            finally:
                shutil.rmtree(outdated, ignore_errors=True)
        return load_entry(target)

    def attach(self, engine: CachedEngine, name: str, report: VerifyReport | BenchReport) -> CachedEngine:
        """Write a report beside an engine, replacing an older one."""
        with self._writing():
            part = engine.folder / f".{name}{UNFINISHED}"
            _write(part, msgspec.json.format(msgspec.json.encode(report)))
            part.replace(engine.folder / name)
        return load_entry(engine.folder)

    def remove(self, folder: Path) -> None:
        """Delete an engine's folder; no reader sees half of it."""
        with self._writing():
            doomed = self.root / f".{folder.name}.old{UNFINISHED}"
            folder.rename(doomed)
            shutil.rmtree(doomed)

    def _sweep(self) -> None:
        """Remove what builds that were killed have left. Only called with the lock held, so no one works in there."""
        for leftover in self.root.glob(f".*{UNFINISHED}"):
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineError(
                f"{self.root}: the engine cache cannot be written ({error.strerror}); "
                "set STREAMAFFECT_CACHE to a folder of yours with room"
            ) from error


def _write(file: Path, data: bytes) -> None:
    """Write a file that only this user can touch, and have it on the disk before it is moved."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _make_private(file: Path) -> None:
    file.chmod(0o600)
    with file.open("rb") as written:
        os.fsync(written.fileno())
