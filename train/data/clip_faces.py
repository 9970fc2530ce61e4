"""The faces of labelled clips at the rate of a protocol: pictures of a data set, or faces that the runtime finds."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import ImageArray

from ..errors import DataError
from .prepare import prepare_videos, read_shard, shard_path, shard_share
from .records import ClipRecord
from .sampling.windows import down_sample

FPS = 25.0  # of the protocol; video files of any rate are sampled by time
CACHED_CLIPS = 64


class ClipFaces:
    """Crops of any clip by number.

    root:   folder of the data set; shards: of the faces that were cut from its video files
    every:  of 25 frames a second, one of so many is kept
    """

    def __init__(self, root: Path, shards: Path, crop: CropSpec, *, every: int) -> None:
        self._root = root
        self._shards = shards
        self._crop = crop
        self._every = every

    def prepare(self, records: Iterable[ClipRecord], on_done: Callable[[str, str], None]) -> list[ClipRecord]:
        """Cut the faces of all video files that were not cut before; returns the records in which there are faces."""
        records = list(records)
        videos = {self._name(one.source): one.source for one in records if isinstance(one.source, Path)}
        gap_s = (self._every - 0.5) / FPS
        prepare_videos(videos, self._shards, frames={}, gap_s=gap_s, on_done=on_done)
        return [record for record in records if self._has_faces(record)]

    def count(self, record: ClipRecord) -> int:
        """Number of faces that are kept of a clip."""
        if isinstance(record.source, Path):
            return len(self._cut(record.source, record)[0])
        return len(down_sample(len(record.source), self._every))

    def read(self, record: ClipRecord, numbers: np.ndarray) -> ImageArray:
        """numbers (…) of kept faces → crops (…, S, S, 3) uint8 RGB."""
        wanted, place = np.unique(numbers, return_inverse=True)
        if isinstance(record.source, Path):
            crops = [self._middle(self._cut(record.source, record)[0][number]) for number in wanted]
        else:
            kept = down_sample(len(record.source), self._every)
            crops = [read_face(record.source[kept[number]], self._crop.size) for number in wanted]
        return np.asarray(np.stack(crops)[place.reshape(numbers.shape)])

    def times(self, record: ClipRecord) -> np.ndarray:
        """Seconds of each kept face within its recording: (count,) float64, increasing."""
        if isinstance(record.source, Path):
            return self._cut(record.source, record)[1]
        kept = down_sample(len(record.source), self._every)
        return np.asarray(record.start_s + np.asarray(kept, np.float64) / FPS)

    def _has_faces(self, record: ClipRecord) -> bool:
        if isinstance(record.source, Path) and not self._shard(record.source).exists():
            return False
        return self.count(record) > 0

    def _name(self, video: Path) -> str:
        return video.relative_to(self._root).as_posix()

    def _shard(self, video: Path) -> Path:
        return shard_path(self._shards, self._name(video))

    def _cut(self, video: Path, record: ClipRecord) -> tuple[ImageArray, np.ndarray]:
        return _main_face(self._shard(video), record.start_s, np.inf if record.end_s is None else record.end_s)

    def _middle(self, picture: ImageArray) -> ImageArray:
        """The stream's framing of a prepared crop, which is wider."""
        side = picture.shape[0]
        edge = round(side * (1 - shard_share(self._crop)) / 2)
        return _resized(picture[edge : side - edge, edge : side - edge], self._crop.size)


def read_face(file: Path, size: int) -> ImageArray:
    """A picture that shows a face and little else: (size, size, 3) uint8 RGB. Raises DataError if it cannot be read."""
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{file}: cannot be read as a picture; copy the data set again or remove its folder")
    return _resized(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), size)


def _resized(picture: ImageArray, size: int) -> ImageArray:
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=CACHED_CLIPS)
def _main_face(shard: Path, start_s: float, end_s: float) -> tuple[ImageArray, np.ndarray]:
    """Crops and times of the face that is seen most often from `start_s` to `end_s`."""
    faces = read_shard(shard)
    within = np.flatnonzero((faces.time_s >= start_s) & (faces.time_s < end_s))
    tracks = Counter(faces.tracks[within].tolist())
    main = tracks.most_common(1)[0][0] if tracks else -1
    rows = within[faces.tracks[within] == main]
    return np.asarray(faces.crops[rows]), faces.time_s[rows]
