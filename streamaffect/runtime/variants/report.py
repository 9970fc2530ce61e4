"""What a trial of a bundle's variants has found on this machine, kept in the engine cache so that it is never repeated.

The first report of a key stays: a file gives the same numbers in every run, whatever else the machine is doing.
"""

import hashlib
import os
import secrets
from pathlib import Path

import msgspec

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine_cache import CACHE_VARIABLE, cache_folder, check_cache_folder, read_private
from streamaffect.runtime.engine_record import SCHEMA, Precision
from streamaffect.runtime.machine import backend_version, cpu_name
from streamaffect.runtime.variants.files import FP32
from streamaffect.version import SOFTWARE

MARGIN = 1.1  # a variant has to be so many times as fast as fp32; a tie goes to fp32
PREFIX = "variants-"


class VariantKey(msgspec.Struct, frozen=True):
    """All that the outcome depends on: another bundle, processor, number of threads or version is tried anew."""

    bundle_sha256: str
    backend_version: str
    device: str
    threads: int
    software: str = SOFTWARE

    @property
    def file(self) -> Path:
        """Where its report is kept."""
        digest = hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:32]
        return cache_folder() / f"{PREFIX}{digest}.json"

    @property
    def is_current(self) -> bool:
        """Whether it is of this machine and of what is installed."""
        found = (self.backend_version, self.device, self.software)
        return found == (backend_version("onnxruntime"), cpu_name(), SOFTWARE)


class Tried(msgspec.Struct, frozen=True):
    """One variant.

    failure:  why it must not run here; null where its answers to the probe crops are right
    frame_ms: processor time of one new frame of one face; null where it failed
    """

    precision: Precision
    failure: str | None = None
    frame_ms: float | None = None


class VariantReport(msgspec.Struct, frozen=True):
    """The outcome of a trial. reference_ms: of fp32; crops: how many each variant was verified with."""

    schema: int
    key: VariantKey
    created: str
    reference_ms: float
    crops: int
    tried: list[Tried]

    @property
    def chosen(self) -> Tried | None:
        """The fastest of those that are right and clearly faster than fp32; None where fp32 is to run."""
        faster = [one for one in self.tried if self.speedup(one) >= MARGIN]
        return max(faster, key=self.speedup, default=None)

    def speedup(self, tried: Tried) -> float:
        """How many times as fast as fp32; 0 where it failed."""
        return 0.0 if tried.failure is not None or not tried.frame_ms else self.reference_ms / tried.frame_ms

    def sentence(self, tried: Tried) -> str:
        """What was found of a variant, for people."""
        if tried.failure is not None or tried.frame_ms is None:
            return f"{tried.precision} of the bundle is refused here: {tried.failure}"
        if (speedup := self.speedup(tried)) < MARGIN:
            return f"{tried.precision} of the bundle gains too little here, {speedup:.2f} times as fast as {FP32}"
        return (
            f"{tried.precision} of the bundle, {speedup:.1f} times as fast as {FP32} here ({tried.frame_ms:.2f} ms a "
            f"face), verified on its {self.crops} probe crops {self.created[:10]}"
        )


def make_key(bundle: Bundle, threads: int) -> VariantKey:
    """Of this bundle on this machine."""
    return VariantKey(bundle.sha256, backend_version("onnxruntime") or "", cpu_name(), threads)


def read_report(key: VariantKey) -> VariantReport | None:
    """What was found before; None where nothing was tried. Raises EngineError where the file must not be believed."""
    file = key.file
    if not file.exists():
        return None
    check_cache_folder(file.parent)
    try:
        report = msgspec.json.decode(read_private(file), type=VariantReport)
    except msgspec.MsgspecError as error:
        raise EngineError(f"{file}: not a report on variants ({error}); delete it, and they are tried again") from None
    if report.schema != SCHEMA or report.key != key:
        raise EngineError(f"{file}: belongs to something else; delete it, and the variants are tried again")
    return report


def list_reports() -> list[tuple[Path, VariantReport | None]]:
    """All that are kept, with None for one that cannot be read."""
    found: list[tuple[Path, VariantReport | None]] = []
    for file in sorted(cache_folder().glob(f"{PREFIX}*.json")):
        try:
            found.append((file, msgspec.json.decode(read_private(file), type=VariantReport)))
        except (msgspec.MsgspecError, EngineError):
            found.append((file, None))
    return found


def require_room() -> None:
    """Raise EngineError unless reports can be kept."""
    _write(cache_folder() / f".{PREFIX}{secrets.token_hex(8)}.part", b"").unlink()


def keep_report(report: VariantReport) -> VariantReport:
    """Write a report where there is none yet; returns the one that is there then. Raises EngineError."""
    file = report.key.file
    part = _write(file.with_name(f".{file.stem}-{secrets.token_hex(8)}.part"), msgspec.json.encode(report))
    try:
        try:
            os.link(part, file)
        except FileExistsError:
            return read_report(report.key) or report
        except OSError:  # a file system without hard links
            part.replace(file)
    except OSError as error:
        raise _unwritable(file.parent, error) from None
    finally:
        part.unlink(missing_ok=True)
    return report


def _write(part: Path, data: bytes) -> Path:
    """A file that only this user can touch, on the disk before it is moved."""
    try:
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_cache_folder(part.parent)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise _unwritable(part.parent, error) from None
    return part


def _unwritable(folder: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{folder}: the engine cache cannot be written ({error.strerror}); set {CACHE_VARIABLE} to a folder of yours"
    )
