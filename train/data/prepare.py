"""Faces of video files as shards on disk, found and cut by the runtime's own detector, tracker and crop.

Crops are a little wider than those of the stream, so that augmentation moves over real pixels. One shard a video; a
shard that exists is kept, so an interrupted run continues where it stopped.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from streamaffect.errors import SourceError
from streamaffect.faces.crop import crop_face
from streamaffect.faces.detectors.detector import FaceDetector, MediaPipeDetector
from streamaffect.faces.tracker import Tracker
from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.video.reader import open_video
from streamaffect.types import FloatArray, ImageArray

SKIPPED = "skipped.json"
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of the videos. faces: of those that were cut now; kept: were there before; skipped: why, by name."""

    faces: dict[str, int]
    kept: tuple[str, ...]
    skipped: dict[str, str]

    def summary(self) -> str:
        """How many were cut, and on further lines which were left out and why."""
        empty = [name for name, count in self.faces.items() if count == 0]
        lines = [f"{len(self.faces)} cut, {sum(self.faces.values())} faces; {len(self.kept)} were there before"]
        lines += [f"without a face: {', '.join(empty)}"] if empty else []
        return "\n".join([*lines, *(f"skipped {name}: {reason}" for name, reason in self.skipped.items())])


def prepare_videos(
    videos: Mapping[str, Path],
    folder: Path,
    *,
    frames: Mapping[str, Collection[int]],
    gap_s: float,
    on_done: Callable[[str, str], None],
    processes: int | None = None,
) -> Prepared:
    """Make the missing shards, several at a time, and remember in `skipped.json` which videos cannot be read.

    on_done: gets each one's name and its fate, as they come; processes: one per processor by default
    """
    kept = tuple(name for name in videos if shard_path(folder, name).exists())
    for name in kept:
        on_done(name, "already there")
    faces: dict[str, int] = {}
    skipped: dict[str, str] = {}
    missing = [name for name in videos if name not in kept]
    work = [(videos[name], shard_path(folder, name), frames.get(name), gap_s) for name in missing]
    for number, found in _attempts(work, processes or os.cpu_count() or 1):
        name = missing[number]
        if isinstance(found, int):
            faces[name] = found
        else:
            skipped[name] = found
        on_done(name, f"{found} faces" if isinstance(found, int) else f"skipped: {found}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SKIPPED).write_text(json.dumps(skipped, indent=2), encoding="utf-8")
    return Prepared({name: faces[name] for name in missing if name in faces}, kept, skipped)


def skipped_videos(folder: Path) -> dict[str, str]:
    """Why, by name, some videos have no shard."""
    file = folder / SKIPPED
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


Work = tuple[Path, Path, Collection[int] | None, float]


def _attempts(work: list[Work], processes: int) -> Iterator[tuple[int, int | str]]:
    """Number of the work and its result, as they are done."""
    if min(processes, len(work)) <= 1:
        yield from ((number, _attempt(one)) for number, one in enumerate(work))
        return
    # A fork would inherit the threads of whatever was used before.
    with ProcessPoolExecutor(min(processes, len(work)), mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_attempt, one): number for number, one in enumerate(work)}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _attempt(work: Work) -> int | str:
    """The number of faces, or why there is no shard."""
    video, shard, frames, gap_s = work
    try:
        return prepare_video(video, shard, frames=frames, gap_s=gap_s)
    except SourceError as error:
        return str(error)


def tracked_faces(
    video: Path, detector: FaceDetector, frames: Collection[int] | None, gap_s: float, spec: CropSpec = SHARD_CROP
) -> Iterator[tuple[int, float, int, tuple[float, ...], ImageArray]]:
    """Frame number, time, track, box and crop of each visible face. Every frame is tracked, as in the stream."""
    reader = open_video(video)
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


def shard_share(crop: CropSpec) -> float:
    """Share of the side of a prepared crop that the stream's crop shows."""
    return (1 + 2 * crop.margin) / (1 + 2 * SHARD_CROP.margin)
