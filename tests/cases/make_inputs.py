"""Small videos of the kinds that people really have, made with PyAV.

Every picture is `scene(number)`: four quadrants of different grey, so that a wrong orientation shows, and a bright disc
in the middle, so that a wrong shape does. The disc moves a little from picture to picture.

    python -m tests.cases.make_inputs FOLDER      # writes them, to be tried by hand
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from streamaffect.types import ImageArray

WIDTH, HEIGHT = 96, 64
GREYS = ((40, 80), (120, 160))
DISC, RADIUS_PX = 250, 12
FPS, FRAMES = 25, 20
SAMPLE_RATE = 16_000
UNIT = 1 << 16

# How the shown picture comes from the stored one, as the matrix (a, b, c, d) of an MP4 track (ISO/IEC 14496-12,
# 6.2.2): x' = a·x + c·y and y' = b·x + d·y.
MATRICES = {
    "upright": (1, 0, 0, 1),
    "turned right": (0, 1, -1, 0),
    "on its head": (-1, 0, 0, -1),
    "turned left": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down mirrored": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transversed": (0, -1, -1, 0),
}


def scene(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> ImageArray:
    """Picture `number`, (height, width, 3) uint8 BGR."""
    image = np.zeros((height, width, 3), np.uint8)
    for row, greys in enumerate(GREYS):
        for column, grey in enumerate(greys):
            image[row * height // 2 :, column * width // 2 :] = grey
    cv2.circle(image, (width // 2 + number % 4, height // 2), RADIUS_PX, (DISC,) * 3, -1)
    return image


@dataclass(frozen=True, slots=True)
class Track:
    """One video track.

    aspect: width over height of a stored pixel; start_s: of its first picture
    spoilt: numbers of the packets that are overwritten with zeros
    reorders: pictures may refer to later ones, so that a decoder holds some back
    planes: format of the stored pictures; empty is the codec's usual one
    times_ms: of each picture, where they do not come at `fps`
    """

    pictures: Sequence[ImageArray] = field(default_factory=lambda: [scene(number) for number in range(FRAMES)])
    codec: str = "mpeg4"
    fps: int = FPS
    aspect: Fraction = Fraction(1)
    start_s: float = 0.0
    is_default: bool = True
    is_cover: bool = False
    interlaced: bool = False
    spoilt: frozenset[int] = frozenset()
    reorders: bool = False
    planes: str = ""
    times_ms: Sequence[int] = ()


def write(path: Path, *tracks: Track, sound_s: float = 0.0, sound: str = "aac", kind: str | None = None) -> Path:
    """Write a file of these tracks, and of so many seconds of a tone that starts at 0.

    sound: its codec; kind: the container's, where the name does not say it
    """
    with av.open(str(path), "w", format=kind) as file:
        streams = [_add(file, track) for track in tracks]
        packets: list[Packet[Any]] = []
        tone = file.add_stream(sound, rate=SAMPLE_RATE, layout="mono") if sound_s else None
        for stream, track in zip(streams, tracks, strict=True):
            packets += _encoded(stream, track)
        if isinstance(tone, AudioStream):
            packets += _tone(tone, sound_s)
        for packet in sorted(packets, key=_time):
            file.mux(packet)
    return path


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Give the first track of an MP4 a display matrix."""
    a, b, c, d = (value * UNIT for value in matrix)
    nine = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    data = path.read_bytes()
    start = data.index(b"tkhd") + 44
    path.write_bytes(data[:start] + nine + data[start + len(nine) :])
    return path


def shown(image: ImageArray, matrix: tuple[int, int, int, int]) -> ImageArray:
    """The picture as the matrix says, pixel by pixel."""
    a, b, c, d = matrix
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    across, down = a * x + c * y, b * x + d * y
    across, down = across - across.min(), down - down.min()
    result = np.zeros((int(down.max()) + 1, int(across.max()) + 1, 3), np.uint8)
    result[down, across] = image
    return result


def rename_codec(path: Path, fourcc: bytes, other: bytes) -> Path:
    """Say that the video of an MP4 is of a codec that nobody has."""
    data = path.read_bytes()
    where = data.index(fourcc, data.index(b"stsd"))
    path.write_bytes(data[:where] + other + data[where + 4 :])
    return path


def _add(file: OutputContainer, track: Track) -> VideoStream:
    stream = file.add_stream(track.codec, rate=track.fps)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = track.pictures[0].shape[:2]
    stream.pix_fmt = track.planes or ("yuvj420p" if track.codec == "mjpeg" else "yuv420p")
    stream.codec_context.sample_aspect_ratio = track.aspect
    stream.codec_context.time_base = _unit(track)
    if track.interlaced:
        stream.codec_context.flags |= (1 << 18) | (1 << 29)  # interlaced DCT and motion estimation
    if track.reorders:
        stream.codec_context.max_b_frames = 2
        stream.options = {"x264-params": "b-adapt=0"} if track.codec == "libx264" else {}
    disposition = Disposition.default if track.is_default else Disposition(0)
    stream.disposition = Disposition.attached_pic if track.is_cover else disposition
    return stream


def _encoded(stream: VideoStream, track: Track) -> Iterator["Packet[Any]"]:
    first = round(track.start_s * track.fps)
    times = track.times_ms or range(first, first + len(track.pictures))
    packets = []
    for time, picture in zip(times, track.pictures, strict=True):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=stream.pix_fmt)
        frame.pts, frame.time_base = time, _unit(track)
        packets += stream.encode(frame)
    for number, packet in enumerate([*packets, *stream.encode(None)]):
        yield _spoilt(packet) if number in track.spoilt else packet


def _unit(track: Track) -> Fraction:
    """In which the times of a track are counted, in seconds."""
    return Fraction(1, 1000 if track.times_ms else track.fps)


def _time(packet: "Packet[Any]") -> Fraction:
    return Fraction(packet.dts or 0) * packet.time_base


def _spoilt(packet: "Packet[Any]") -> "Packet[Any]":
    """The same packet, in which there is nothing."""
    empty: Packet[Any] = Packet(bytes(packet.size))
    empty.stream, empty.pts, empty.dts = packet.stream, packet.pts, packet.dts
    empty.time_base, empty.duration = packet.time_base, packet.duration
    return empty


def _tone(stream: AudioStream, seconds: float) -> "list[Packet[Any]]":
    wave = np.sin(np.arange(round(seconds * SAMPLE_RATE)) / 8).astype(np.float32)
    packets = []
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=SAMPLE_RATE, frame_size=1024)
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    for block in [*resampler.resample(frame), *resampler.resample(None)]:
        packets += stream.encode(block)
    return [*packets, *stream.encode(None)]


def combed() -> list[ImageArray]:
    """Pictures of two fields each, between which everything has moved by three pixels."""
    pictures = []
    for number in range(FRAMES):
        first, second = (np.roll(scene(0), 6 * number + shift, axis=1) for shift in (0, 3))
        picture = first.copy()
        picture[1::2] = second[1::2]
        pictures.append(picture)
    return pictures


def jumping(count: int = FRAMES) -> list[int]:
    """Times in milliseconds of a rate that varies, with jumps of half a second and of twelve."""
    steps = [20, 60, 33, 47, 40] * (count // 5 + 1)
    steps[count // 3], steps[count // 2] = 500, 12_000
    return [sum(steps[:number]) for number in range(count)]


def growing(path: Path) -> Path:
    """A transport stream whose picture is larger from the middle on."""
    sizes = ((WIDTH, HEIGHT), (WIDTH * 2, HEIGHT * 2))
    parts = [
        write(
            path.with_stem(f"{path.stem}-{width}"),
            Track([scene(number, width=width, height=height) for number in range(FRAMES)], codec="mpeg2video"),
        )
        for width, height in sizes
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def _with_matrix(matrix: tuple[int, int, int, int], path: Path) -> Path:
    return set_matrix(write(path, Track()), matrix)


MADE: dict[str, Callable[[Path], Path]] = {
    **{f"{name.replace(' ', '-')}.mp4": partial(_with_matrix, matrix) for name, matrix in MATRICES.items()},
    "pixels-twice-as-wide.mkv": lambda path: write(path, Track(aspect=Fraction(2))),
    "late-picture.mp4": lambda path: write(path, Track(start_s=1.0), sound_s=2.0),
    "damaged.mkv": lambda path: write(path, Track(codec="mjpeg", spoilt=frozenset({8, 9}))),
    "interlaced.mpg": lambda path: write(path, Track(combed(), codec="mpeg2video", interlaced=True)),
    "growing.ts": growing,
    "unknown-codec.mov": lambda path: rename_codec(write(path, Track(codec="mjpeg")), b"jpeg", b"xq9z"),
    "sound.m4a": lambda path: write(path, sound_s=1.0),
    "odd-size.webm": lambda path: write(path, Track([scene(0, width=51, height=51)] * FRAMES, codec="libvpx-vp9")),
    "variable-rate.mp4": lambda path: write(path, Track(times_ms=jumping())),
    "second-track.mkv": lambda path: write(path, Track([scene(0, width=64)] * 5, is_default=False), Track()),
    "bare.m4v": lambda path: write(path, Track(fps=30), kind="m4v"),
}


def main() -> None:
    """Write one file of each kind."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in MADE.items():
        sys.stdout.write(f"{make(folder / name)}\n")


if __name__ == "__main__":
    main()
