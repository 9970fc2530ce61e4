"""From a decoder's pixels to BGR as an ordinary screen shows it, 8 bits a channel.

FFmpeg's scaler does it, by the colour matrix and the range that the frame names (BT.601, limited, where it names none).
High dynamic range needs a curve of its own: FFmpeg's tone mapping takes 45 ms for a 1080p picture and two seconds to
start, a table takes two milliseconds and is as good for finding faces in it.
"""

from functools import cache
from threading import Lock

import cv2
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, VideoReformatter

from streamaffect.types import Channels, ImageArray

REFERENCE_WHITE_NITS = 203.0  # ITU-R BT.2408: what a page of paper has in HDR
HLG_PEAK_NITS = 1000.0
SPLIT_PX = 16
KNEE = 0.75  # of the screen's white: up to here light is kept, beyond it is squeezed
# BT.2020 to BT.709, rows and columns in the order blue, green, red (ITU-R BT.2087).
WIDE_TO_SCREEN = np.array(((1.1187, -0.1006, -0.0182), (-0.0083, 1.1329, -0.1246), (-0.0728, -0.5876, 1.6605)))


class BgrConverter:
    """Converts the frames of one track; it keeps what the scaler has prepared for their size and format."""

    def __init__(self) -> None:
        self._scaler, self._splitter, self._sorter = VideoReformatter(), VideoReformatter(), VideoReformatter()
        self._lock = Lock()

    def in_planes(self, frame: VideoFrame) -> VideoFrame:
        """The frame of a device, whose two colours alternate, with a plane for each, as the processor decodes them.

        FFmpeg would convert it to BGR in another way, by up to 40 grey levels at the edges of colours.
        """
        return self._sorter.reformat(frame, format="yuv420p", threads=1) if frame.format.name == "nv12" else frame

    def convert(self, frame: VideoFrame) -> ImageArray:
        """(H, W, 3) uint8 BGR, from any thread."""
        with self._lock:
            image = self._scaled(frame)
        if frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
            image = np.asarray(cv2.LUT(image, tone_curve(frame.color_trc)), np.uint8)
        if frame.color_primaries == ColorPrimaries.BT2020:
            image = np.asarray(cv2.transform(image, WIDE_TO_SCREEN), np.uint8)
        return image

    def split(self, frame: VideoFrame) -> Channels:
        """The same for a frame that `is_split_exactly`, by channel, in half the time and less."""
        with self._lock:
            planes = self._splitter.reformat(frame, format="gbrp", threads=1).planes
        green, blue, red = (_pixels(plane, frame.width) for plane in planes)
        return blue, green, red

    def _scaled(self, frame: VideoFrame) -> ImageArray:
        try:
            scaled = self._scaler.reformat(frame, format="bgr24", threads=1)
        except (FFmpegError, OSError):  # a colour matrix that the scaler does not know
            scaled = self._scaler.reformat(frame, format="bgr24", threads=1, src_colorspace=Colorspace.ITU709)
        return np.asarray(scaled.to_ndarray(), np.uint8)


def _pixels(plane: VideoPlane, width: int) -> ImageArray:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, :width]


def is_split_exactly(frame: VideoFrame) -> bool:
    """Whether `BgrConverter.split` gives the pixels that `convert` does, to the last bit.

    FFmpeg writes channels in blocks of `SPLIT_PX` pixels, and leaves out what is over at the end of a row.
    """
    if frame.width % SPLIT_PX or frame.height % 2:
        return False
    return _splits_exactly(frame.format.name, frame.colorspace, frame.color_range)


@cache
def _splits_exactly(kind: str, matrix: int, levels: int) -> bool:
    """Tried with noise, since FFmpeg has code of its own for each processor."""
    frame = VideoFrame(3 * SPLIT_PX, 2 * SPLIT_PX, kind)
    frame.colorspace, frame.color_range = matrix, levels
    noise = np.random.default_rng(0)
    for plane in frame.planes:
        plane.update(noise.bytes(plane.buffer_size))
    converter = BgrConverter()
    return np.array_equal(np.dstack(converter.split(frame)), converter.convert(frame))


@cache
def tone_curve(transfer: int) -> ImageArray:
    """(256,) uint8: from code values of an HDR transfer curve to those of an ordinary screen."""
    signal = np.linspace(0.0, 1.0, 256)
    nits = _pq_nits(signal) if transfer == ColorTrc.SMPTE2084 else _hlg_nits(signal)
    light = nits / REFERENCE_WHITE_NITS
    room = 1.0 - KNEE
    squeezed = np.where(light > KNEE, 1.0 - room * np.exp(-(light - KNEE) / room), light)
    return np.round(255.0 * squeezed ** (1 / 2.4)).astype(np.uint8)


def _pq_nits(signal: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """SMPTE ST 2084."""
    root = signal ** (1 / 78.84375)
    return 10_000.0 * (np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)


def _hlg_nits(signal: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """ARIB STD-B67 on a screen of `HLG_PEAK_NITS`, with the system gamma of 1.2 for it."""
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return HLG_PEAK_NITS * scene**1.2
