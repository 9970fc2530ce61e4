"""Make a clip of a session's length out of a short one of a face: it rests, and reacts at the times that are given.

    python -m docs.assets.make_participant_clip short.mp4 participant.mp4 --seconds 320 --rest 6 9.4 \\
        --react 70 100 9.4 12.5 --react 225 255 9.4 19.4

The short clip is played forwards and backwards, so that one picture always leads into the next and nothing cuts.
While the face rests, it stays between the two moments of --rest; from FROM to TO of the new clip it is between those of
--react.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from streamaffect.types import ImageArray

Reaction = tuple[float, float, float, float]


def main() -> None:
    """Read, order, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=320.0, help="length of the new clip (default: %(default)g)")
    parser.add_argument("--rest", type=float, nargs=2, required=True, metavar="S", help="moments of the short clip")
    parser.add_argument(
        "--react", type=float, nargs=4, action="append", default=[], metavar=("FROM", "TO", "S", "S"), help="repeatable"
    )
    options = parser.parse_args()
    make(options.clip, options.out, seconds=options.seconds, rest=options.rest, reactions=options.react)


def make(clip: Path, out: Path, *, seconds: float, rest: Sequence[float], reactions: Sequence[Reaction]) -> None:
    """Write the new clip, at the frame rate of the short one."""
    frames, fps = _read(clip)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    for index in _path(round(seconds * fps), fps, rest, reactions, last=len(frames) - 1):
        writer.write(frames[index])
    writer.release()


def _read(clip: Path) -> tuple[list[ImageArray], float]:
    capture = cv2.VideoCapture(str(clip))
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    frames: list[ImageArray] = []
    while (read := capture.read())[0]:
        frames.append(read[1].astype(np.uint8, copy=False))
    capture.release()
    return frames, fps


def _path(count: int, fps: float, rest: Sequence[float], reactions: Sequence[Reaction], *, last: int) -> Iterator[int]:
    """Which picture comes when: a step at a time, turning round at the ends of where it has to be."""
    at, step = round(rest[0] * fps), 1
    for number in range(count):
        now_s = number / fps
        low_s, high_s = next(((low, high) for begin, end, low, high in reactions if begin <= now_s < end), rest)
        low, high = round(low_s * fps), min(round(high_s * fps), last)
        step = 1 if at <= low else -1 if at >= high else step
        at += step
        yield at


if __name__ == "__main__":
    main()
