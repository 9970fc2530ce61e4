"""One person's own videos and pictures as clip vectors: found, cut and encoded by the code that streams.

Nothing is stored but numbers. A file that shows two faces at once cannot be used, since only one of them is the person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import torch
from torch import Tensor

from streamaffect.config import Config
from streamaffect.errors import ConfigError, SourceError
from streamaffect.faces.tracker import Tracker
from streamaffect.pipeline.opening import make_detector
from streamaffect.pipeline.stages import FaceStage
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.sources.video.reader import open_video
from streamaffect.types import FloatArray, Frame, ImageArray, Picture, Sighting

from ....data.clips import index_sequence, join
from ....data.pictures import PICTURES
from ....errors import DataError
from ....loop.progress import Progress

VIDEOS = frozenset({".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
LEAST_GAP = 0.6  # of a clip's period, between the frames that are encoded
MOST_SHARED = 0.05  # share of the frames with a face that may show a second one, e.g. somebody who passes by
BATCH = 64
STILL_STEP_S = 0.1  # between the looks at a picture: often enough, and for long enough, for the tracker


@dataclass(frozen=True, slots=True)
class Shot:
    """One unbroken sight of a face: features (N, D) as seen and mirrored, and the time of each in seconds.

    file: where it is from. A picture is a shot of one row at 0 s.
    """

    file: Path
    plain: FloatArray
    mirrored: FloatArray
    time_s: np.ndarray


@dataclass(frozen=True, slots=True)
class Footage:
    """All that was seen of a person.

    shots: in order; notes: one line for each file that gave nothing, and why
    """

    shots: list[Shot]
    notes: list[str]

    @property
    def crops(self) -> int:
        """Number of faces that were encoded."""
        return sum(len(part.time_s) for part in self.shots)

    @property
    def seconds(self) -> float:
        """Of video in which the face is seen."""
        return float(sum(part.time_s[-1] - part.time_s[0] for part in self.shots))

    @property
    def files(self) -> list[Path]:
        """Those in which the face is seen."""
        return list(dict.fromkeys(part.file for part in self.shots))


@dataclass(frozen=True, slots=True)
class PersonClips:
    """A clip for each crop: vectors (M, C) as seen and mirrored; context (M, K) int64 rows of them; valid (M, K) bool.

    files: (M,) number of the file in `Footage.files`
    """

    plain: Tensor
    mirrored: Tensor
    context: Tensor
    valid: Tensor
    files: Tensor


def read_footage(path: Path, bundle: Bundle, engine: Engine, progress: Progress) -> Footage:
    """Find, cut and encode the face in a file, or in all videos and pictures of a folder and below.

    Raises ConfigError where there is no such path or nothing of the kind in it, DataError where a file shows several
    people at once or no face is seen anywhere.
    """
    files = _files(path)
    shots: list[Shot] = []
    notes: list[str] = []
    for number, file in enumerate(files, start=1):
        try:
            found = _read_file(file, bundle, engine)
        except SourceError as error:
            notes.append(str(error))
            continue
        shots += found
        if not found:
            notes.append(f"{file}: no face is seen long and clearly enough")
        progress.note(file.name, f"{sum(len(part.time_s) for part in found)} faces, file {number} of {len(files)}")
    if not shots:
        raise DataError(f"{path}: no face is seen in it; the detector finds faces nearer than about 2 m, see "
                        "`python run_stream.py --source FILE`")  # fmt: skip
    return Footage(shots, notes)


def person_clips(footage: Footage, bundle: Bundle, engine: Engine) -> PersonClips:
    """The clip that ends at each crop, with its context, as the stream would make them."""
    clip, context = bundle.manifest.clip, bundle.manifest.context
    index = join([index_sequence(part.time_s, clip, context) for part in footage.shots])
    sides = []
    for features in ([part.plain for part in footage.shots], [part.mirrored for part in footage.shots]):
        clips = np.concatenate(features)[index.samples]  # (M, T, D)
        sides.append(
            np.concatenate([engine.encode_clips(clips[at : at + BATCH]) for at in range(0, len(clips), BATCH)])
        )
    numbers = {file: number for number, file in enumerate(footage.files)}
    files = [numbers[part.file] for part in footage.shots for _ in part.time_s]
    return PersonClips(
        torch.from_numpy(sides[0]),
        torch.from_numpy(sides[1]),
        torch.from_numpy(index.context),
        torch.from_numpy(index.valid),
        torch.tensor(files),
    )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigError(f"--recording {path}: no such file or folder")
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES | VIDEOS and file.is_file())
    if not found:
        raise ConfigError(f"--recording {path}: holds no video ({', '.join(sorted(VIDEOS))}) and no picture "
                          f"({', '.join(sorted(PICTURES))})")  # fmt: skip
    return found


def _read_file(file: Path, bundle: Bundle, engine: Engine) -> list[Shot]:
    """One shot for each track of a video, one for a picture. Raises SourceError, DataError."""
    gap_s = LEAST_GAP * bundle.manifest.clip.period_s
    encoder = _Encoder(engine)
    tracks: dict[int, list[float]] = {}
    shared = seen = 0
    last_s = -np.inf
    for time_s, faces in _sightings(file, bundle):
        usable = [face for face in faces if face.crop is not None]
        seen += bool(usable)
        shared += len(usable) > 1
        if not usable or time_s - last_s < gap_s:
            continue
        last_s = time_s
        largest = max(usable, key=lambda face: face.face.box.w * face.face.box.h)
        assert largest.crop is not None
        tracks.setdefault(largest.track, []).append(time_s)
        encoder.add(largest.track, largest.crop)
    if shared > MOST_SHARED * seen:
        raise DataError(f"{file}: shows several faces at once in {shared} of {seen} frames with a face; a personal "
                        "bundle needs files that show one person alone")  # fmt: skip
    return [Shot(file, *encoder.features(track), np.array(times)) for track, times in tracks.items()]


def _sightings(file: Path, bundle: Bundle) -> Iterator[tuple[float, Sequence[Sighting]]]:
    """Time and faces of each frame; a picture is one frame at 0 s, looked at until the tracker believes its faces."""
    still = file.suffix.lower() in PICTURES
    config = Config()
    keep_s = min(config.tracker.keep_s, bundle.manifest.clip.length_s)
    tracker = Tracker(msgspec.structs.replace(config.tracker, keep_s=keep_s))
    stage = FaceStage(make_detector(config, mode="image" if still else "video"), tracker, bundle)
    frames = _picture_frames(file, config.tracker.confirm_hits) if still else _video_frames(file)
    try:
        for number, (time_s, image) in enumerate(frames):
            looked = stage.look(Frame(image, number, time_s, 0, None, time_s))
            if not still:
                yield time_s, looked.faces
        if still:
            yield 0.0, looked.faces
    finally:
        stage.close()


def _video_frames(file: Path) -> Iterator[tuple[float, ImageArray | Picture]]:
    reader = open_video(file)
    try:
        while (item := reader.next()) is not None:
            yield item
    finally:
        reader.close()


def _picture_frames(file: Path, times: int) -> Iterator[tuple[float, ImageArray]]:
    """The picture `times` times."""
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"{file}: cannot be read as a picture")
    for number in range(times):
        yield STILL_STEP_S * number, np.asarray(image, np.uint8)


class _Encoder:
    """Features of crops, in batches, by track."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[int, ImageArray]] = []
        self._done: dict[int, list[tuple[FloatArray, FloatArray]]] = {}

    def add(self, track: int, crop: ImageArray) -> None:
        """Take a crop (S, S, 3)."""
        self._waiting.append((track, crop))
        if len(self._waiting) == BATCH:
            self._flush()

    def features(self, track: int) -> tuple[FloatArray, FloatArray]:
        """(N, D) of the crops as they are, and of their mirror images, in the order of coming."""
        self._flush()
        plain, mirrored = zip(*self._done[track], strict=True)
        return np.stack(plain), np.stack(mirrored)

    def _flush(self) -> None:
        if not self._waiting:
            return
        crops = np.stack([crop for _, crop in self._waiting])
        plain = self._engine.encode_frames(crops)
        mirrored = self._engine.encode_frames(np.ascontiguousarray(crops[:, :, ::-1]))
        for (track, _), one, other in zip(self._waiting, plain, mirrored, strict=True):
            self._done.setdefault(track, []).append((one, other))
        self._waiting = []
