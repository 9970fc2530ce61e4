"""What it costs to read a video and find and cut out one face in each frame: with PyAV, and with OpenCV beside it.

PyAV leaves pictures in the decoder's planes until somebody needs pixels; OpenCV makes a whole BGR picture of each
frame, as everything did before. Both take turns in one run, over the same file; each figure is the processor time of
all threads together, in the cheapest of its turns.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --video interview.mp4

Without a file: the demo clip, and the same clip enlarged to 1080p, for which FFmpeg needs an H.264 encoder.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice

import av
import cv2
import numpy as np

from benchmarks.measures.report import PACKAGES, Row, show, write
from streamaffect.config import Config
from streamaffect.faces.crop import crop_face
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.pipeline.opening import make_detector
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import CropSpec
from streamaffect.service.heap import share_heap
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.av_reader import AvReader
from streamaffect.sources.video.opencv_reader import OpenCvReader
from streamaffect.sources.video.reader import VideoReader
from streamaffect.types import pixels

LARGE = (1920, 1080)
Open = Callable[[Path], VideoReader]
Task = Callable[[VideoReader], int]


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, action="append", help="file to read; repeatable (default: see above)")
    parser.add_argument("--repeats", type=int, default=15, help="the cheapest of so many turns (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/decoding.json)")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as in the command line's processes, and so is this
    share_heap()
    with tempfile.TemporaryDirectory() as folder:
        videos = options.video or [DEMO_CLIP, resized(DEMO_CLIP, Path(folder) / "demo-1080p.mp4", LARGE)]
        rows = [row for video in videos for row in measure(video, options.repeats)]
    show("ms of processor time a frame", rows)
    print(write("decoding", rows, options.out, packages=(*PACKAGES, "av")))


def measure(video: Path, repeats: int) -> list[Row]:
    """One row for each thing to do with the frames of a file."""
    width, height = _size(video)
    spec = load_bundle().manifest.crop
    with closing(make_detector(Config(), mode="video")) as detector:
        tasks: dict[str, Task] = {
            "decode": _decode,
            "decode, whole pictures in BGR": _convert,
            "decode, detect, cut out one face": partial(_cut_out, detector=detector, spec=spec),
        }
        return [
            {"video": video.name, "size": f"{width}x{height}", "what": what, **_paired(video, task, repeats)}
            for what, task in tasks.items()
        ]


def _paired(video: Path, task: Task, repeats: int) -> Row:
    readers: dict[str, Open] = {"opencv_ms": OpenCvReader, "pyav_ms": AvReader}
    best = dict.fromkeys(readers, math.inf)
    for _ in range(repeats):
        for name, open_reader in readers.items():
            best[name] = min(best[name], _ms_a_frame(open_reader, video, task))
    rounded = {name: round(value, 3) for name, value in best.items()}
    return {**rounded, "pyav / opencv": round(best["pyav_ms"] / best["opencv_ms"], 3)}


def _ms_a_frame(open_reader: Open, video: Path, task: Task) -> float:
    with closing(open_reader(video)) as reader:
        started_s = time.process_time()
        frames = task(reader)
        return (time.process_time() - started_s) / frames * 1e3


def _decode(reader: VideoReader) -> int:
    """Let every picture pass by; OpenCV makes them all the same."""
    while reader.next() is not None:
        pass
    return reader.read_frames


def _convert(reader: VideoReader) -> int:
    while (shown := reader.next()) is not None:
        pixels(shown[1])
    return reader.read_frames


def _cut_out(reader: VideoReader, *, detector: FaceDetector, spec: CropSpec) -> int:
    while (shown := reader.next()) is not None:
        time_s, picture = shown
        for face in detector.detect(picture, time_s)[:1]:
            crop_face(picture, face, spec)
    return reader.read_frames


def _size(video: Path) -> tuple[int, int]:
    with closing(AvReader(video)) as reader:
        return reader.size


def resized(video: Path, target: Path, size: tuple[int, int], *, frames: int | None = None) -> Path:
    """Write the video to a file, for which FFmpeg needs an H.264 encoder; returns the file.

    size: width and height; frames: only the first so many
    """
    with ExitStack() as stack:
        reader = stack.enter_context(closing(AvReader(video)))
        container = stack.enter_context(av.open(str(target), "w"))
        stream = container.add_stream("h264", rate=round(reader.fps or 25))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for frame in islice(_frames(reader, size), frames):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


def _frames(reader: AvReader, size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    while (shown := reader.next()) is not None:
        large = cv2.resize(pixels(shown[1]), size, interpolation=cv2.INTER_CUBIC)
        yield av.VideoFrame.from_ndarray(np.asarray(large, np.uint8), format="bgr24")


if __name__ == "__main__":
    main()
