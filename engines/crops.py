"""Real crops for calibration and verification, cut by the runtime's own detector, tracker and crop.

Half of them calibrate int8 graphs, the other half is held out to compare engines. Each clip of the shipped demo or of
the user's folder is varied in light, contrast, mirroring and position, so that one face covers more of what comes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.errors import EngineError, StreamAffectError
from streamaffect.runtime.bundle import Bundle
from streamaffect.types import Frame, ImageArray

VIDEOS = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg"}
LONGEST_CLIP = 500


@dataclass(frozen=True, slots=True)
class FaceClip:
    """One face in the order of time.

    crops:   (F, S, S, 3) uint8 RGB
    times_s: (F,) seconds, increasing
    """

    crops: ImageArray
    times_s: list[float]

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Crops from one origin, in two parts that share no frame.

    origin: where they come from, for reports
    is_own: whether they are the user's material
    """

    origin: str
    calibration: list[FaceClip]
    held_out: list[FaceClip]
    is_own: bool = False

    @property
    def calibration_sha256(self) -> str:
        """Names the calibration crops: another choice of them makes another engine."""
        digest = hashlib.sha256()
        for clip in self.calibration:
            digest.update(clip.crops.tobytes())
        return digest.hexdigest()


def collect_clips(bundle: Bundle, source: Path | None = None) -> ClipSet:
    """Find the faces of a folder of videos and pictures, of one such file, or of the shipped demo clip (None).

    Raises EngineError where no face is found.
    """
    files = _files(source)
    clips: list[FaceClip] = []
    pictures: list[ImageArray] = []
    for file in files:
        if file.suffix.lower() in VIDEOS:
            clips += _clips_of_video(file, bundle)
        else:
            pictures += _crops_of_picture(file, bundle)
    if pictures:
        clips.append(_row_of_pictures(pictures, bundle.manifest.clip.period_s))
    shortest = bundle.manifest.clip.frames
    halves = [_halves(clip) for clip in clips if len(clip) >= 2 * shortest]
    if not halves:
        where = source or "the demo clip"
        raise EngineError(f"{where}: no face shows for {2 * shortest} frames; take longer videos or more pictures")
    calibration = [varied for first, _ in halves for varied in _variations(first)]
    held_out = [varied for _, second in halves for varied in _variations(second)]
    origin = "the shipped demo clip" if source is None else f"{len(files)} file(s) of {source.name}"
    return ClipSet(origin, calibration, held_out, is_own=source is not None)


def spread_out(clips: Sequence[FaceClip], count: int) -> ImageArray:
    """At most `count` crops, evenly over all clips and times: (M, S, S, 3) uint8."""
    crops: ImageArray = np.concatenate([clip.crops for clip in clips])
    chosen = np.unique(np.linspace(0, len(crops) - 1, min(count, len(crops))).astype(int))
    some: ImageArray = crops[chosen]
    return some


def _files(source: Path | None) -> list[Path]:
    if source is None:
        from streamaffect.sources.demo import DEMO_CLIP

        return [DEMO_CLIP]
    if source.is_file():
        return [source]
    files = sorted(file for file in source.rglob("*") if _is_known(file)) if source.is_dir() else []
    if not files:
        raise EngineError(f"{source}: no video or picture there; give a folder with some, or one video file")
    return files


def _is_known(file: Path) -> bool:
    """Is it a video by its name, or a picture by what OpenCV finds in it?"""
    import cv2

    return file.is_file() and (file.suffix.lower() in VIDEOS or cv2.haveImageReader(str(file)))


def _clips_of_video(file: Path, bundle: Bundle) -> list[FaceClip]:
    """One clip per track, of the frames on which the face is seen well enough."""
    from streamaffect.faces.detectors.detector import MediaPipeDetector
    from streamaffect.faces.tracker import Tracker
    from streamaffect.pipeline.stages import FaceStage
    from streamaffect.settings import TrackerSettings

    stage = FaceStage(MediaPipeDetector(), Tracker(TrackerSettings()), bundle)
    tracks: dict[int, tuple[list[ImageArray], list[float]]] = {}
    try:
        for frame in _frames(file):
            for sighting in stage.look(frame).faces:
                crops, times_s = tracks.setdefault(sighting.track, ([], []))
                if sighting.crop is not None and len(crops) < LONGEST_CLIP:
                    crops.append(sighting.crop)
                    times_s.append(frame.time_s)
    finally:
        stage.close()
    return [FaceClip(np.stack(crops), times_s) for crops, times_s in tracks.values() if crops]


def _frames(file: Path) -> Iterator[Frame]:
    from streamaffect.sources.video.reader import open_video

    try:
        reader = open_video(file)
    except StreamAffectError as error:
        raise EngineError(str(error)) from error
    try:
        index = 0
        while (decoded := reader.next()) is not None:
            time_s, image = decoded
            yield Frame(image, index, time_s, round(time_s * 1e9), None, time_s)
            index += 1
    finally:
        reader.close()


def _crops_of_picture(file: Path, bundle: Bundle) -> list[ImageArray]:
    """The faces of a still; the whole of it where it is too small to search, as face crops are."""
    import cv2

    from streamaffect.faces.crop import crop_box, crop_face
    from streamaffect.faces.detectors.detector import MediaPipeDetector
    from streamaffect.types import Box

    read = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if read is None:
        raise EngineError(f"{file}: is not a picture that OpenCV can read; remove it from the folder")
    image = np.asarray(read, np.uint8)
    spec = bundle.manifest.crop
    if max(image.shape[:2]) <= 2 * spec.size:
        return [crop_box(image, Box(0, 0, 1, 1), spec)]
    with MediaPipeDetector(mode="image") as detector:
        return [crop_face(image, face, spec) for face in detector.detect(image, 0.0)]


def _row_of_pictures(pictures: list[ImageArray], period_s: float) -> FaceClip:
    """Stills in a row, one per clip period: as varied a sequence as an engine can meet."""
    return FaceClip(np.stack(pictures), [i * period_s for i in range(len(pictures))])


def _halves(clip: FaceClip) -> tuple[FaceClip, FaceClip]:
    middle = len(clip) // 2
    first = FaceClip(clip.crops[:middle], clip.times_s[:middle])
    return first, FaceClip(clip.crops[middle:], clip.times_s[middle:])


def _variations(clip: FaceClip) -> Iterator[FaceClip]:
    """The clip itself, mirrored and dark, bright and flat, and shifted by an eighth of its side."""
    yield clip
    yield FaceClip(_relit(clip.crops[:, :, ::-1], gain=0.5, offset=0.0), clip.times_s)
    yield FaceClip(_relit(clip.crops, gain=0.6, offset=90.0), clip.times_s)
    shift = clip.crops.shape[1] // 8
    padded = np.pad(clip.crops, ((0, 0), (shift, 0), (0, shift), (0, 0)), mode="edge")
    yield FaceClip(np.ascontiguousarray(padded[:, :-shift, shift:]), clip.times_s)


def _relit(crops: ImageArray, *, gain: float, offset: float) -> ImageArray:
    relit: ImageArray = np.clip(crops * np.float32(gain) + np.float32(offset), 0, 255).astype(np.uint8)
    return relit
