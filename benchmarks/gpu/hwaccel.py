"""Decoding on a graphics card (`source.hwaccel = "auto"`) beside the processor: the same pictures, and at what cost?

Makes a clip with each encoder that FFmpeg has here, reads it both ways, to the end, then again after going back to its
start, and compares frame by frame. Without a device it says so, and the processor is compared with itself.

    python benchmarks/gpu/hwaccel.py
    python benchmarks/gpu/hwaccel.py --video interview.mp4

decoder:     the device, or the processor, to which it may leave a clip, and the pixels that come of it
frames:      of the processor and of the device, over two passes
times_apart: by how much any time stamp differs, in seconds
grey_levels: by how much any pixel differs at most, and on average, after conversion to BGR
cpu_ms, ms:  processor time of all threads, and time, of a frame: decoding alone
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream

from benchmarks.decoding import LARGE, resized
from benchmarks.measures.report import Row, show, write
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.av_reader import AvReader
from streamaffect.sources.video.hwaccel import Hwaccel, decoding_device
from streamaffect.types import pixels

PASSES = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to encode a clip: FFmpeg's encoder and pixel format, in a container of this suffix."""

    encoder: str
    pixel_format: str = "yuv420p"
    suffix: str = ".mp4"


KINDS = (
    Kind("libx264"),
    Kind("libx264", "yuv420p10le"),
    Kind("libx264", "yuv444p"),
    Kind("libx265"),
    Kind("libx265", "yuv420p10le"),
    Kind("libvpx", suffix=".webm"),
    Kind("libvpx-vp9", suffix=".webm"),
    Kind("libvpx-vp9", "yuv420p10le", suffix=".webm"),
    Kind("libsvtav1", suffix=".mkv"),
    Kind("libsvtav1", "yuv420p10le", suffix=".mkv"),
    Kind("mpeg2video", suffix=".ts"),
    Kind("mpeg4"),
    Kind("mjpeg", "yuvj420p", suffix=".mkv"),
)


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, action="append", help="file to read; repeatable (default: see above)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/gpu_hwaccel.json)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [(video.name, video) for video in options.video or ()] or list(_clips(Path(folder)))
        rows = [_compared(name, file) for name, file in files]
    show("decoding, by the processor and by a device", rows)
    print(write("gpu_hwaccel", rows, options.out, packages=("numpy", "opencv-python-headless", "av")))


def _clips(folder: Path) -> Iterator[tuple[str, Path]]:
    """The demo clip by each encoder that is here, and by two of them enlarged to 1080p and to 2160p."""
    for kind in KINDS:
        name = f"{kind.encoder} {kind.pixel_format}"
        with suppress(FFmpegError, ValueError):  # FFmpeg was built without it
            yield name, _encoded(DEMO_CLIP, folder / f"{kind.encoder}-{kind.pixel_format}{kind.suffix}", kind)
    large = resized(DEMO_CLIP, folder / "1080.mp4", LARGE)
    yield "libx264 yuv420p 1080p", large
    with suppress(FFmpegError, ValueError):
        yield "libx265 yuv420p 1080p", _encoded(large, folder / "1080-hevc.mp4", Kind("libx265"))
    yield "libx264 yuv420p 2160p", resized(DEMO_CLIP, folder / "2160.mp4", (3840, 2160), frames=100)


def _encoded(video: Path, target: Path, kind: Kind) -> Path:
    with av.open(str(video)) as source, av.open(str(target), "w") as container:
        shown = source.streams.video[0]
        stream = cast(VideoStream, container.add_stream(kind.encoder, rate=shown.average_rate))
        stream.width, stream.height = shown.width, shown.height
        stream.pix_fmt = kind.pixel_format
        for frame in source.decode(shown):
            container.mux(stream.encode(frame.reformat(format=kind.pixel_format)))
        container.mux(stream.encode(None))
    return target


def _compared(name: str, file: Path) -> Row:
    counts = {"off": 0, "auto": 0}
    apart_s, most, total, pictures = 0.0, 0, 0.0, 0
    for ours, its in zip_longest(_frames(file, "off"), _frames(file, "auto")):
        counts["off"] += ours is not None
        counts["auto"] += its is not None
        if ours is None or its is None or ours[1].shape != its[1].shape:
            continue
        difference = np.abs(ours[1].astype(np.int16) - its[1])
        apart_s = max(apart_s, abs(ours[0] - its[0]))
        most, total, pictures = max(most, int(difference.max())), total + float(difference.mean()), pictures + 1
    cost = {way: _cost_ms(file, way) for way in ("off", "auto")}
    return {
        "clip": name,
        "decoder": _who_decodes(file),
        "frames": f"{counts['off']} {counts['auto']}",
        "times_apart": apart_s,
        "grey_levels": f"{most} {total / max(pictures, 1):.3f}",
        **{f"{what}, {way}": round(ms, 3) for way in cost for what, ms in cost[way].items()},
    }


def _frames(file: Path, way: Hwaccel) -> Iterator[tuple[float, np.ndarray]]:
    with closing(AvReader(file, hwaccel=way)) as reader:
        for again in range(PASSES):
            if again:
                reader.rewind()
            while (shown := reader.next()) is not None:
                yield shown[0], pixels(shown[1])


def _cost_ms(file: Path, way: Hwaccel) -> dict[str, float]:
    with closing(AvReader(file, hwaccel=way)) as reader:  # a device takes a moment to begin, which is not counted
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        while reader.next() is not None:
            pass
        frames = max(reader.read_frames, 1)
        return {
            "cpu_ms": (time.process_time() - cpu_s) / frames * 1e3,
            "ms": (time.perf_counter() - wall_s) / frames * 1e3,
        }


def _who_decodes(file: Path) -> str:
    """Told by the format: a device gives pixels whose two colours alternate, which no decoder of the processor does."""
    with av.open(str(file), hwaccel=decoding_device("auto")) as container:
        frame = next(container.decode(video=0))
    return f"{'device' if frame.format.name.startswith(('nv', 'p0')) else 'processor'}, {frame.format.name}"


if __name__ == "__main__":
    main()
