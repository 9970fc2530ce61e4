"""What a reading of the video gives: one line of JSON from each program, the same for all of them.

The programs run in environments of their own, where this project is not installed: nothing here needs more than the
standard library, and OpenCV to read the video.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

Face = tuple[float, float, float, float]
WARM_UP_FRAMES = 5
NOTED_EVERY = 10  # frames; where the largest face was in them is noted


class Noted(NamedTuple):
    """Where the largest face was: x, y, w, h as shares of the frame."""

    time_s: float
    face: Face


class Reading(NamedTuple):
    """One pass over the video, from opening it to the last emotion, with everything loaded before.

    faces: frames with a face and its emotion
    """

    frames: int
    faces: int
    seconds: float
    noted: tuple[Noted, ...]
    versions: Mapping[str, str]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(self._asdict())


def from_json(line: str) -> Reading:
    """The reading that a program printed. Raises ValueError, KeyError or TypeError where it printed something else."""
    told = json.loads(line)
    noted = tuple(Noted(time_s, tuple(face)) for time_s, face in told["noted"])
    return Reading(int(told["frames"]), int(told["faces"]), float(told["seconds"]), noted, dict(told["versions"]))


def read_with_opencv(look: Callable[["np.ndarray"], Iterable[Face]], packages: Iterable[str], **versions: str) -> None:
    """Read the video that the command line names frame by frame, as most scripts do, and print the reading.

    look:     a BGR picture → the faces whose emotions were found, as shares of it
    packages: what it needs, beside what is in `versions`
    """
    video = sys.argv[1]
    for _, first in islice(_pictures(video), WARM_UP_FRAMES):
        list(look(first))
    started_s = time.perf_counter()
    frames = seen = 0
    noted: list[Noted] = []
    for time_s, picture in _pictures(video):
        faces = list(look(picture))
        seen += bool(faces)
        if faces and frames % NOTED_EVERY == 0:
            noted.append(Noted(time_s, max(faces, key=lambda face: face[2])))
        frames += 1
    seconds = time.perf_counter() - started_s
    versions = {name: version(name) for name in packages} | versions
    print(Reading(frames, seen, seconds, tuple(noted), versions).to_json())


def _pictures(video: str) -> Iterable[tuple[float, "np.ndarray"]]:
    import cv2

    capture = cv2.VideoCapture(video)
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    index = 0
    while True:
        is_there, picture = capture.read()
        if not is_there:
            break
        yield index / fps, picture
        index += 1
    capture.release()
