"""Pictures as the payloads of RTP packets: motion JPEG (RFC 2435) and H.264 (RFC 6184)."""

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import cv2

from streamaffect.types import ImageArray

PAYLOAD_BYTES = 1400
CLOCK_HZ = 90_000
JPEG, H264 = 26, 96  # payload types
SDP_LINES = {JPEG: [], H264: [f"a=rtpmap:{H264} H264/{CLOCK_HZ}", f"a=fmtp:{H264} packetization-mode=1"]}

_START = b"\x00\x00\x01"
_FRAGMENT = 28


def encoded_h264(pictures: Sequence[ImageArray], *, fps: int = 25, key_each: int = 5) -> list[bytes]:
    """Pictures (H, W, 3) uint8 BGR, each as a piece of an H.264 stream; one in `key_each` needs no other."""
    height, width = pictures[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = width, height, "yuv420p", Fraction(fps)
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast", "g": str(key_each), "qp": "10"}
    packets = [
        packet
        for image in [*pictures, None]
        for packet in encoder.encode(None if image is None else av.VideoFrame.from_ndarray(image, format="bgr24"))
    ]
    assert len(packets) == len(pictures)
    return [bytes(packet) for packet in packets]


def h264_payloads(piece: bytes) -> Iterator[tuple[bytes, bool]]:
    """The payloads of one picture, each with whether it is the last one."""
    units = [unit.rstrip(b"\x00") for unit in piece.split(_START) if unit.rstrip(b"\x00")]
    for number, unit in enumerate(units):
        is_last_unit = number == len(units) - 1
        if len(unit) <= PAYLOAD_BYTES:
            yield unit, is_last_unit
            continue
        body = unit[1:]
        for offset in range(0, len(body), PAYLOAD_BYTES):
            is_end = offset + PAYLOAD_BYTES >= len(body)
            edges = (0x80 if offset == 0 else 0) | (0x40 if is_end else 0)
            header = bytes([unit[0] & 0x60 | _FRAGMENT, edges | unit[0] & 0x1F])
            yield header + body[offset : offset + PAYLOAD_BYTES], is_last_unit and is_end


def jpeg_payloads(image: ImageArray) -> Iterator[tuple[bytes, bool]]:
    """The payloads of one picture, each with whether it is the last one (RFC 2435, section 3.1)."""
    height, width = image.shape[:2]
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80, *sampling])
    tables, scan = _tables_and_scan(encoded.tobytes())
    offset = 0
    while offset < len(scan):
        # Type 1 is 4:2:0; quality 255 says that the quantisation tables follow in the first packet.
        header = struct.pack(">IBBBB", offset, 1, 255, width // 8, height // 8)
        if offset == 0:
            header += struct.pack(">BBH", 0, 0, len(tables)) + tables
        part = scan[offset : offset + PAYLOAD_BYTES]
        offset += len(part)
        yield header + part, offset >= len(scan)


def _tables_and_scan(jpeg: bytes) -> tuple[bytes, bytes]:
    """The quantisation tables and the entropy-coded data of a baseline JPEG."""
    tables, at = b"", 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        segment = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:
            tables += b"".join(segment[start + 1 : start + 65] for start in range(0, len(segment), 65))
        if marker == 0xFFDA:
            return tables, jpeg[at:].removesuffix(b"\xff\xd9")
