"""A recording of face crops: a line of JSON, then records of one size, so that one that was cut off is read to there.

It is the only file of streamaffect that holds pictures of a person. It is written where its user has said, when its
user has asked for it, and only its owner can read it.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from streamaffect.errors import RecordingError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import FRAME_ENCODER, CropSpec
from streamaffect.types import ImageArray, TimeArray

MAX_HEADER = 1 << 16
BEGINNING = b'{"kind":"crops"'
WANTED = "`run --record-crops FILE` makes one"


class CropHeader(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="crops"):
    """The first line. frame_encoder: SHA-256 of the one that sees these crops; notice: for whoever finds the file."""

    v: int = 1
    created: str
    crop: CropSpec
    frame_encoder: str
    notice: str = "Pictures of a person's face, recorded on request. Delete the file when that person wants it."


@dataclass(frozen=True, slots=True)
class CropRecording:
    """What the file holds, oldest first.

    crops: (N, S, S, 3) uint8 RGB; time_s: (N,) on the stream's clock
    shot:  (N,) int64, another number for another track, within which time increases
    """

    crops: ImageArray
    time_s: TimeArray
    shot: np.ndarray

    @property
    def seconds(self) -> float:
        """Of video in which the face is seen."""
        return float(sum(np.ptp(self.time_s[self.shot == one]) for one in np.unique(self.shot)))


def header_of(bundle: Bundle, created: str) -> CropHeader:
    """The header of crops for this bundle."""
    manifest = bundle.manifest
    return CropHeader(created=created, crop=manifest.crop, frame_encoder=manifest.graphs[FRAME_ENCODER].sha256)


def record_type(size: int) -> np.dtype[np.void]:
    """One crop of a file."""
    return np.dtype([("time_s", "<f8"), ("shot", "<u4"), ("crop", "u1", (size, size, 3))])


def read_crops(path: Path, bundle: Bundle) -> CropRecording:
    """All crops of a file.

    Raises RecordingError where it is none, one for another frame encoder, or several that were put together.
    """
    header, offset = read_header(path)
    _check_single(path)
    wanted = bundle.manifest.graphs[FRAME_ENCODER].sha256
    if header.frame_encoder != wanted or header.crop != bundle.manifest.crop:
        raise RecordingError(
            f"{path}: its crops were cut for the frame encoder {header.frame_encoder[:12]}…, "
            f"{bundle.manifest.label} has {wanted[:12]}…; name the bundle of that run, --bundle DIR, or record again"
        )
    record = record_type(header.crop.size)
    count = (path.stat().st_size - offset) // record.itemsize
    rows = np.fromfile(path, record, count=count, offset=offset)
    return CropRecording(rows["crop"], rows["time_s"], rows["shot"].astype(np.int64))


def read_header(path: Path) -> tuple[CropHeader, int]:
    """The header, and where the records begin. Raises RecordingError where the file is no recording of crops."""
    try:
        with path.open("rb") as file:
            line = file.readline(MAX_HEADER)
        return msgspec.json.decode(line, type=CropHeader), len(line)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror}); {WANTED}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RecordingError(f"{path}: is no recording of crops; {WANTED}") from None


def _check_single(path: Path) -> None:
    """Raise RecordingError where a second recording stands in the file: its header would be read as pictures."""
    with path.open("rb") as file:
        at = file.read().find(BEGINNING, 1)
    if at > 0:
        raise RecordingError(
            f"{path}: two recordings of crops were put together in it; take them apart, `head -c {at} {path} > first` "
            f"and `tail -c +{at + 1} {path} > second`, and learn from one"
        )


def delete_crops(path: Path) -> None:
    """Remove a recording of crops, and nothing else. Raises RecordingError where it is none, or cannot be removed."""
    read_header(path)
    try:
        path.unlink()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be deleted ({error.strerror})") from None
