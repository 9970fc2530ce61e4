"""Faces of video files as shards on disk, found and cut by the runtime's own detector, tracker and crop.

Crops are a little wider than those of the stream, so that augmentation moves over real pixels. One shard a video; a
shard that exists is kept, so an interrupted run continues where it stopped.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.errors import SourceError
from streamaffect.faces.crop import crop_face
from streamaffect.faces.detector import FaceDetector, MediaPipeDetector
from streamaffect.faces.tracker import Tracker
from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.file import VideoReader
from streamaffect.types import FloatArray, ImageArray

SHARD_CROP = CropSpec(size=88, margin=0.3, align="roll")


@dataclass(frozen=True, slots=True)
class FaceShard:
    """All tracked faces of one video, in order of time.

    crops:  (M, S, S, 3) uint8 RGB, cut by SHARD_CROP
    frames: (M,) int64 number of the decoded frame; time_s: (M,) float64 its timestamp; tracks: (M,) int64 ids
    boxes:  (M, 4) float32 x, y, width, height as shares of the frame
    """

    crops: ImageArray
    frames: np.ndarray
    time_s: np.ndarray
    tracks: np.ndarray
    boxes: FloatArray


def shard_path(folder: Path, video: str) -> Path:
    """Where the shard of a video lies; `video` is its path relative to the data's root."""
    return folder / f"{video.replace('/', '__')}.npz"


def prepare_video(video: Path, shard: Path, *, frames: Collection[int] | None = None, gap_s: float = 0.0) -> int:
    """Cut the faces of one video into a shard and return their number.

    frames: only these, if given; gap_s: least time between two frames

    Raises:
        SourceError: the video cannot be read.
    """
    with MediaPipeDetector() as detector:
        found = list(tracked_faces(video, detector, frames, gap_s))
    size = SHARD_CROP.size
    shard.parent.mkdir(parents=True, exist_ok=True)
    partial = shard.with_suffix(".partial.npz")
    np.savez(
        partial,
        crops=np.array([row[4] for row in found], np.uint8).reshape(-1, size, size, 3),
        frames=np.array([row[0] for row in found], np.int64),
        time_s=np.array([row[1] for row in found], np.float64),
        tracks=np.array([row[2] for row in found], np.int64),
        boxes=np.array([row[3] for row in found], np.float32).reshape(-1, 4),
    )
    partial.replace(shard)
    return len(found)


def read_shard(shard: Path) -> FaceShard:
    """Load a shard that `prepare_video` wrote."""
    with np.load(shard, allow_pickle=False) as arrays:
        return FaceShard(**{name: arrays[name] for name in ("crops", "frames", "time_s", "tracks", "boxes")})


def prepare_videos(
    videos: Mapping[str, Path],
    folder: Path,
    *,
    frames: Mapping[str, Collection[int]],
    gap_s: float,
    on_done: Callable[[str, str], None],
) -> int:
    """Make the missing shards; returns how many videos were skipped. on_done: gets each one's name and its fate."""
    skipped = 0
    for name, path in videos.items():
        shard = shard_path(folder, name)
        if shard.exists():
            on_done(name, "already there")
            continue
        try:
            count = prepare_video(path, shard, frames=frames.get(name), gap_s=gap_s)
        except SourceError as error:
            skipped += 1
            on_done(name, f"skipped: {error}")
        else:
            on_done(name, f"{count} faces")
    return skipped


def tracked_faces(
    video: Path, detector: FaceDetector, frames: Collection[int] | None, gap_s: float, spec: CropSpec = SHARD_CROP
) -> Iterator[tuple[int, float, int, tuple[float, ...], ImageArray]]:
    """Frame number, time, track, box and crop of each visible face. Every frame is tracked, as in the stream."""
    reader = VideoReader(video)
    tracker = Tracker()
    try:
        number, last_s = -1, -np.inf
        while (item := reader.next()) is not None:
            number += 1
            time_s, image = item
            tracks = tracker.update(detector.detect(image, time_s), time_s).tracks
            if (frames is not None and number not in frames) or time_s - last_s < gap_s:
                continue
            last_s = time_s
            for tracked in tracks:
                if tracked.visible:
                    crop = crop_face(image, tracked.face, spec)
                    yield number, time_s, tracked.track, tuple(tracked.face.box), crop
    finally:
        reader.close()
