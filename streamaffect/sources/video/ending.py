"""Whether a file has ended before its end: compared with how long its container says it is, or with its own parts."""

from pathlib import Path
from typing import BinaryIO

from streamaffect.sources.video.container import Container

TRUNCATED_BELOW = 0.9  # of the length that is stated; lengths are often stated generously
SYNC = 0x47
TRANSPORT_PACKETS = ((188, 0), (192, 4))  # bytes of a packet, and of what stands before its sync byte
HEAD_BYTES = 8192
MEDIA_BOXES = (b"mdat", b"moof")
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_FILE_SIZE, ASF_FLAGS = 40, 88  # bytes after that
OGG_PAGE, OGG_LACES = b"OggS", 26  # how a page begins, and where the number of its parts stands
LONGEST_PAGE = 65_307


def ended_early(container: Container, track: int, *, stated_s: float | None) -> bool:
    """True where both the track and the longest of all tracks end well before what is stated for them.

    stated_s: where the track, of this index, should end, in seconds since the file's start
    """
    length_s = container.duration_s
    whole_ended = length_s is not None and container.reached_s() < TRUNCATED_BELOW * length_s
    return whole_ended and (stated_s is None or container.reached_s(track) < TRUNCATED_BELOW * stated_s)


def is_shorter_than_its_parts(path: Path) -> bool:
    """True for a file that ends within a part whose length it states.

    Known are the packets of MPEG transport streams, the lists of AVI, the boxes of MP4, what ASF (WMV) says of the
    whole, and the pages of Ogg. Some of them state no other length, and of some FFmpeg takes what is there for all.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(b"RIFF"):
            return _end_of_lists(file) > size
        if head[4:8] == b"ftyp":
            return _end_of_boxes(file, size) > size
        if head.startswith(ASF_HEADER):
            return _end_of_asf(head) > size
        if head.startswith(OGG_PAGE):
            return _end_of_last_page(file, size) > size
    return _cut_within_a_packet(head, size)


def _cut_within_a_packet(head: bytes, size: int) -> bool:
    for packet, before in TRANSPORT_PACKETS:
        syncs = head[before : before + packet + 1 : packet]
        if len(syncs) == 2 and set(syncs) == {SYNC}:
            return size % packet != 0
    return False


def _end_of_lists(file: BinaryIO) -> int:
    """A large AVI has several of them, each with its length; a recording that was never finished says 0."""
    end = 0
    file.seek(0)
    while (head := file.read(8))[:4] == b"RIFF" and len(head) == 8:
        end += 8 + int.from_bytes(head[4:], "little")
        file.seek(end)
    return end


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Of those that hold pictures and sound; what else stands at the end may be anything."""
    place = 0
    while place + 16 <= size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:  # 0: up to the end
            break
        place += length
        if place > size:
            return place if head[4:8] in MEDIA_BOXES else size
    return size


def _end_of_asf(head: bytes) -> int:
    """The length of the whole; 0 where it was broadcast while it was written."""
    place = head.find(ASF_PROPERTIES)
    if place < 0 or head[place + ASF_FLAGS] & 1:
        return 0
    return int.from_bytes(head[place + ASF_FILE_SIZE :][:8], "little")


def _end_of_last_page(file: BinaryIO, size: int) -> int:
    start = max(0, size - LONGEST_PAGE)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(OGG_PAGE)
    if place < 0:
        return size
    laces_at = place + OGG_LACES + 1
    if laces_at > len(tail):
        return start + laces_at
    laces = tail[laces_at:][: tail[place + OGG_LACES]]
    return start + laces_at + len(laces) + sum(laces)
