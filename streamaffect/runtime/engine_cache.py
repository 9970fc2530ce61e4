"""The user's own cache of compiled engines: where it is, what is in it, and what of it may be loaded.

One folder per engine, named by the hash of its key. A compiled engine is code: nothing is loaded that lies in a folder
others can write to, that does not belong to this user, or whose bytes are not those that were built.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from streamaffect.errors import BundleError, EngineError
from streamaffect.runtime.engine_record import (
    BENCH_FILE,
    ENGINE_FILE,
    SCHEMA,
    VERIFY_FILE,
    BenchReport,
    EngineRecord,
    VerifyReport,
)
from streamaffect.runtime.machine import backend_version
from streamaffect.runtime.onnx_file import read_signature
from streamaffect.version import SOFTWARE

CACHE_VARIABLE = "STREAMAFFECT_CACHE"

Report = TypeVar("Report", VerifyReport, BenchReport)


@dataclass(frozen=True, slots=True)
class CachedEngine:
    """One engine of the cache whose folder is private and whose record belongs to its name.

    sha256: of `engine.json`
    verify, bench: None where there is no report for exactly this engine
    """

    folder: Path
    record: EngineRecord
    sha256: str
    verify: VerifyReport | None
    bench: BenchReport | None

    @property
    def is_verified(self) -> bool:
        """Whether its answers were compared with ONNX Runtime fp32 and found right."""
        return self.verify is not None and self.verify.passed

    def staleness(self) -> str | None:
        """Why this engine does not fit what is installed; None where it does. The device is not looked at."""
        key = self.record.key
        if key.software != SOFTWARE:
            return f"built by {key.software}, this is {SOFTWARE}"
        installed = backend_version(key.backend)
        if installed is None:
            return f"{key.backend} is not installed"
        if installed != key.backend_version:
            return f"built with {key.backend} {key.backend_version}, {installed} is installed"
        return None

    def read_graphs(self) -> dict[str, bytes]:
        """The compiled graphs by role, proven to be those that were built. Raises EngineError."""
        return {role: self._read(graph.file, graph.sha256) for role, graph in self.record.graphs.items()}

    def _read(self, name: str, expected: str) -> bytes:
        file = self.folder / name
        if Path(name).name != name:
            raise EngineError(f"{self.folder / ENGINE_FILE}: {name!r} is not a name in the same folder; {_REBUILD}")
        data = read_private(file)
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise EngineError(f"{file}: sha256 is {found[:12]}…, it was built as {expected[:12]}…; {_REBUILD}")
        if file.suffix == ".onnx":
            _refuse_external_data(file)
        return data


@dataclass(frozen=True, slots=True)
class BrokenEngine:
    """A folder of the cache that must not be used, and why."""

    folder: Path
    reason: str


_REBUILD = "remove it with `engines clean` and build it again"


def cache_folder() -> Path:
    """$STREAMAFFECT_CACHE, else streamaffect/engines in the user's cache folder."""
    if configured := os.environ.get(CACHE_VARIABLE):
        return Path(configured)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "streamaffect" / "engines"


def list_engines(root: Path | None = None) -> tuple[list[CachedEngine], list[BrokenEngine]]:
    """All engines that may be loaded, and all folders that may not, in the order of their names."""
    folder = cache_folder() if root is None else root
    sound: list[CachedEngine] = []
    broken: list[BrokenEngine] = []
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_dir())
        if entries:
            check_cache_folder(folder)
    except FileNotFoundError:
        return [], []
    except (OSError, EngineError) as error:
        return [], [BrokenEngine(folder, str(error))]
    for entry in entries:
        try:
            sound.append(load_entry(entry))
        except EngineError as error:
            broken.append(BrokenEngine(entry, str(error)))
    return sound, broken


def load_entry(folder: Path) -> CachedEngine:
    """Check one engine's folder and read its record and reports; raises EngineError where it must not be used."""
    _check_entry_folder(folder)
    file = folder / ENGINE_FILE
    raw = read_private(file)
    try:
        record = msgspec.json.decode(raw, type=EngineRecord)
    except msgspec.MsgspecError as error:
        raise EngineError(f"{file}: not an engine's record ({error}); {_REBUILD}") from None
    if record.schema != SCHEMA:
        raise EngineError(f"{file}: schema is {record.schema}, this version reads {SCHEMA}; {_REBUILD}")
    if record.key.digest != folder.name:
        raise EngineError(f"{file}: its key belongs to {record.key.digest}, not to this folder; {_REBUILD}")
    sha256 = hashlib.sha256(raw).hexdigest()
    return CachedEngine(
        folder,
        record,
        sha256,
        verify=_read_report(folder / VERIFY_FILE, VerifyReport, sha256),
        bench=_read_report(folder / BENCH_FILE, BenchReport, sha256),
    )


def check_cache_folder(root: Path) -> None:
    """Raise EngineError unless the cache is this user's own and nobody else can put folders into it."""
    info = _lstat(root)
    _check_owner(root, info)
    if info.st_mode & 0o022:
        mode = stat.S_IMODE(info.st_mode)
        raise EngineError(
            f"{root}: mode is {mode:04o}, so others can write to it; chmod 700 it if you trust its content"
        )


def _check_entry_folder(folder: Path) -> None:
    info = _lstat(folder)
    if not stat.S_ISDIR(info.st_mode):
        raise EngineError(f"{folder}: is not a folder; {_REBUILD}")
    _check_owner(folder, info)
    if info.st_mode & 0o077:
        mode = stat.S_IMODE(info.st_mode)
        raise EngineError(f"{folder}: mode is {mode:04o}, so others can reach it; {_REBUILD}")


def read_private(file: Path) -> bytes:
    """The bytes of a file that is this user's own and that nobody else can write to; raises EngineError."""
    info = _lstat(file)
    if not stat.S_ISREG(info.st_mode):
        raise EngineError(f"{file}: is not a regular file; {_REBUILD}")
    _check_owner(file, info)
    if info.st_mode & 0o022:
        raise EngineError(f"{file}: mode is {stat.S_IMODE(info.st_mode):04o}, so others can write to it; {_REBUILD}")
    try:
        return file.read_bytes()
    except OSError as error:
        raise EngineError(f"{file}: cannot be read ({error.strerror}); {_REBUILD}") from None


def _lstat(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror}); {_REBUILD}") from None


def _check_owner(path: Path, info: os.stat_result) -> None:
    if info.st_uid != os.getuid():
        raise EngineError(f"{path}: belongs to user {info.st_uid}, not to you ({os.getuid()}); {_REBUILD}")


def _read_report(file: Path, kind: type[Report], engine_sha256: str) -> Report | None:
    """A report, unless it is missing, unreadable or made for another build."""
    if not file.exists():
        return None
    try:
        report = msgspec.json.decode(read_private(file), type=kind)
    except (msgspec.MsgspecError, EngineError):
        return None
    return report if report.schema == SCHEMA and report.engine_sha256 == engine_sha256 else None


def _refuse_external_data(file: Path) -> None:
    try:
        external = read_signature(file).external_data
    except BundleError as error:
        raise EngineError(f"{error}") from None
    if external is not None:
        raise EngineError(f"{file}: tensor {external!r} is stored outside the file, which is refused; {_REBUILD}")
