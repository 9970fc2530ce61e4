"""`personal.json`: a personal lens on disk, one file in a folder of its own, schema 1.

It holds one vector that was learned from a face, and numbers about it: personal data, which only its owner can read. It
belongs to one bundle, named by hash, whose answers it never changes.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from streamaffect.errors import LensError, RecordingError
from streamaffect.messages import NOTICE
from streamaffect.personal.adaptation import Adapted
from streamaffect.recordings.output_file import whole_file
from streamaffect.runtime.bundle import Bundle
from streamaffect.types import FloatArray

PERSONAL = "personal.json"
SCHEMA = 1
MAKE_AGAIN = "`streamaffect personalise FILE --out DIR` makes another"


class PersonalFile(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="personal"):
    """The whole file.

    bundle, bundle_sha256: whose clip vectors it moves
    crops, seconds, confident: what it was learned from, and how many clips of that were judged with confidence
    shift:     (C,) what is added to clip vectors; moved: its length in standard deviations of the people of training
    quantiles: of the intervals, by output
    change:    mean absolute change of valence and arousal on the recording
    """

    schema: int = SCHEMA
    created: str
    bundle: str
    bundle_sha256: str
    crops: int
    seconds: float
    confident: int
    shift: list[float]
    moved: float
    quantiles: dict[str, Annotated[float, msgspec.Meta(ge=0.0)]]
    change: dict[str, float]
    notice: str = NOTICE

    @property
    def vector(self) -> FloatArray:
        """`shift` as an array."""
        return np.asarray(self.shift, np.float32)


def personal_file(adapted: Adapted, bundle: Bundle, *, created: str, crops: int, seconds: float) -> PersonalFile:
    """What is to be written of an adaptation."""
    return PersonalFile(
        created=created,
        bundle=bundle.manifest.label,
        bundle_sha256=bundle.sha256,
        crops=crops,
        seconds=round(seconds, 2),
        confident=adapted.confident,
        shift=adapted.shift.tolist(),
        moved=round(adapted.moved, 4),
        quantiles=adapted.quantiles,
        change=adapted.change,
    )


def check_target(folder: Path) -> None:
    """Raise LensError where a lens must not be written to this folder: it holds something else."""
    if folder.is_dir() and (others := sorted(one.name for one in folder.iterdir() if one.name != PERSONAL)):
        raise LensError(f"--out {folder}: holds {others[0]} and is no personal lens; name another folder")
    if folder.exists() and not folder.is_dir():
        raise LensError(f"--out {folder}: is a file; name a folder")


def write_personal(file: PersonalFile, folder: Path) -> Path:
    """Write the lens, in place of the personal one that is there; for its owner alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LensError(f"--out {folder}: cannot be made ({error.strerror}); name another folder") from None
    path = folder / PERSONAL
    with whole_file(path, overwrite=True) as out:
        out.write(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")
    return path


def read_personal(folder: Path, bundle: Bundle) -> PersonalFile:
    """Raises LensError where the folder holds no personal lens of this bundle."""
    path = folder / PERSONAL
    file = _decoded(path)
    if file.bundle_sha256 != bundle.sha256:
        raise LensError(
            f"{path}: was learned with the bundle {file.bundle} ({file.bundle_sha256[:12]}…), and this run has "
            f"{bundle.manifest.label} ({bundle.sha256[:12]}…); {MAKE_AGAIN}"
        )
    if len(file.shift) != bundle.clip_dim or not np.isfinite(file.vector).all():
        raise LensError(f"{path}: shift has {len(file.shift)} numbers, expected {bundle.clip_dim}; {MAKE_AGAIN}")
    return file


def delete_personal(folder: Path) -> None:
    """Remove a personal lens and its folder. Raises LensError where it is none, RecordingError where it stays."""
    _decoded(folder / PERSONAL)
    check_target(folder)
    try:
        (folder / PERSONAL).unlink()
        folder.rmdir()
    except OSError as error:
        raise RecordingError(f"{folder}: cannot be deleted ({error.strerror})") from None


def _decoded(path: Path) -> PersonalFile:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=PersonalFile)
    except OSError as error:
        raise LensError(f"{path}: cannot be read ({error.strerror}); {MAKE_AGAIN}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LensError(f"{path}: is no personal lens ({error}); {MAKE_AGAIN}") from None
    if file.schema != SCHEMA:
        raise LensError(f"{path}: schema is {file.schema}, this version reads {SCHEMA}; update streamaffect")
    return file
