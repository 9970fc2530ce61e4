"""Windows of Aff-Wild2 for the joint multimodal transformer: sub-clips of faces with the sound that ends there.

    <root>/VA_annotations/<part>/<video>.csv          img, V, A, frame_id; V and A in [-1, 1], -5: no label
    <root>/cropped_aligned/<video>/<frame>.jpg        `img` is relative to cropped_aligned
    <root>/audio_extracted/<video>/<frame id>.wav     the sound that ends with this frame

A window is 16 sub-clips of 32 frames. Windows begin at 32 neighbouring frames and then a whole window later, so that
every frame is the last of some sub-clip. Faces of a `_left` or `_right` video share the sound of the video itself.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError

SPAN, SUB_CLIPS = 32, 16
# Left out by name in the published code.
EXCLUDED = frozenset({"313", "212", "303", "171", "40-30-1280x720", "286", "270", "234", "239", "266"})


@dataclass(frozen=True, slots=True)
class SubClip:
    """A step: the faces that are looked at, the sound, and valence and arousal of its last frame.

    sound: None where there is no file. frame: id of the last frame.
    """

    faces: list[Path]
    sound: Path | None
    valence: float
    arousal: float
    frame: int


@dataclass(frozen=True, slots=True)
class _Frame:
    image: Path
    has_face: bool
    valence: float
    arousal: float
    number: int


def load_windows(
    root: Path, part: str, *, keep: int = 8, every: int = 1
) -> Iterator[tuple[str, list[SubClip]]]:  # fmt: skip
    """The video's name and 16 sub-clips of every window of a part ("Train_Set", "Val_Set"), video by video.

    A window is left out if one of its sub-clips has no face.

    keep: faces of a sub-clip. every: frames between the starts of neighbouring windows; with 1, as published, every
          frame is the last of some sub-clip

    Raises DataError if the part is missing or an annotation is not as described.
    """
    files = sorted((root / "VA_annotations" / part).glob("*.csv"))
    if not files:
        raise DataError(f"{root / 'VA_annotations' / part}: holds no annotations (<video>.csv)")
    for file in files:
        if file.stem in EXCLUDED:
            continue
        frames = _frames(root, file)
        for start in window_starts(len(frames), every=every):
            window = [_sub_clip(root, file.stem, frames[at : at + SPAN], keep) for at in _sub_clip_starts(start)]
            sub_clips = [sub_clip for sub_clip in window if sub_clip is not None]
            if len(sub_clips) == SUB_CLIPS:
                yield file.stem, sub_clips


def window_starts(frames: int, *, every: int = 1) -> list[int]:
    """Where the windows of a video begin: at each `every`-th of 32 neighbouring frames, again one window later, …"""
    length = SPAN * SUB_CLIPS
    return [at for at in range(max(0, frames - length + 1)) if at % length < SPAN and at % length % every == 0]


def _sub_clip_starts(start: int) -> range:
    return range(start, start + SPAN * SUB_CLIPS, SPAN)


def _sub_clip(root: Path, video: str, frames: list[_Frame], keep: int) -> SubClip | None:
    found = [place for place, frame in enumerate(frames) if frame.has_face]
    if not found:
        return None
    last = frames[-1]
    base = video.removesuffix("_left").removesuffix("_right")
    sound = root / "audio_extracted" / base / f"{last.number}.wav"
    faces = [frames[place].image for place in thin(found, keep=keep, span=SPAN)]
    return SubClip(faces, sound if sound.is_file() else None, last.valence, last.arousal, last.number)


def _frames(root: Path, file: Path) -> list[_Frame]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return [_frame(root, row) for row in csv.DictReader(lines)]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: expected the columns img, V, A, frame_id ({error})") from error


def _frame(root: Path, row: dict[str, str]) -> _Frame:
    image = root / "cropped_aligned" / row["img"]
    return _Frame(image, image.is_file(), float(row["V"]), float(row["A"]), int(row["frame_id"]))


def thin(found: Sequence[int], *, keep: int = 8, span: int = 32) -> list[int]:
    """Which frames of a sub-clip are looked at: the frames with a face, ascending → `keep` of them, in order.

    With all `span` found every (span / keep)-th is taken; with fewer the stride shrinks and the last `keep` are taken;
    with fewer than `keep` the last is repeated. Raises ValueError without a face, or with more than `span` frames.
    """
    if not 1 <= len(found) <= span:
        raise ValueError(f"a sub-clip of {span} frames needs 1 to {span} faces, found {len(found)}")
    chosen = list(found[:: max(1, len(found) // keep)])[-keep:]
    return chosen + [chosen[-1]] * (keep - len(chosen))
