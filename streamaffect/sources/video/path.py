"""Whether a path can be a video at all; if not, one line that says what it is instead.

Names come from the file system as bytes and need not be text: `printable` is for people, the path itself for opening.
"""

import os
import stat
from pathlib import Path

from streamaffect.errors import SourceOpenError

HEAD_BYTES = 512
PHOTO_HEAD_BYTES = 1 << 17  # a thumbnail of up to 64 KB may come first
MORE_OF_A_PHOTO = b"MPF\0"  # marks a photo which further JPEGs follow: depth, gain map, the other eye (CIPA DC-007)
TEXT_THAT_IS_VIDEO = b"YUV4MPEG2"
WEBP_MOVES = 0x02  # the flag for animation in the extended header (RFC 9649, 2.7)
EXPECTED = "webcam, webcam:1, demo, synthetic, rtsp://…, http://… or a video file"


def printable(path: Path) -> str:
    """The path as text that can be printed, sent and recorded, whatever bytes its name has."""
    try:
        return os.fsencode(path).decode("utf-8", "replace")
    except UnicodeEncodeError:  # no file can have such a name; Python's strings can
        return str(path).encode("utf-8", "replace").decode()


def checked_file(path: Path) -> Path:
    """The absolute path of a file that may be a video.

    Absolute, so that a name such as "concat:a" is a file and never one of FFmpeg's protocols.

    Raises:
        SourceOpenError: it is not there, cannot be read, is no regular file, is empty, or is text.
    """
    label = printable(path)
    size = _size_of_regular_file(path, label)
    if size == 0:
        raise SourceOpenError(f"{label}: is empty (0 bytes); expected a video file")
    head = _head(path)
    if head.startswith(b"#EXTM3U"):
        raise SourceOpenError(f"{label}: is a playlist, not a video; give the address or a file that it lists")
    if _is_text(head):
        raise SourceOpenError(f"{label}: is a text file; expected a video such as MP4, MKV, AVI, MPEG or GIF")
    return path.absolute()


def why_not_a_video(path: Path, reader: str) -> str:
    """Why `reader` could not open an existing file, judged by its first bytes."""
    head = _head(path)
    if head[4:8] == b"ftyp":
        return f"an MP4 without its index ({path.stat().st_size} bytes); it is cut off, copy or record it again"
    return f"is not a video that {reader} can decode; expected MP4, MKV, AVI, MPEG or GIF (ffmpeg can convert it)"


def what_picture(path: Path) -> str:
    """What a file is that FFmpeg takes for a picture."""
    head = _head(path)
    if head[8:16] == b"WEBPVP8X" and head[20] & WEBP_MOVES:
        return "is an animation in WebP, which FFmpeg cannot decode; convert it to MP4 or GIF"
    return "is a single picture, not a video; streamaffect.analyze_image estimates pictures"


def is_photo(path: Path) -> bool:
    """True for a JPEG whose further pictures belong to the first one, as cameras of telephones write them."""
    with path.open("rb") as file:
        return MORE_OF_A_PHOTO in file.read(PHOTO_HEAD_BYTES)


def _size_of_regular_file(path: Path, label: str) -> int:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise SourceOpenError(f"{label}: {_instead_of_a_file(found.st_mode)}")
        with path.open("rb"):
            return found.st_size
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise SourceOpenError(f"{label}: no such file; expected {EXPECTED}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SourceOpenError(f"{label}: cannot be read ({reason}); check the name and the permissions") from error


def _instead_of_a_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a folder; expected a video file, name one inside it"
    if stat.S_ISFIFO(mode):
        return "is a named pipe (FIFO), which cannot be searched; write the video to a file first"
    if stat.S_ISSOCK(mode):
        return "is a socket; expected a video file"
    return "is a device; expected a video file, or webcam:0 for a camera"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _is_text(head: bytes) -> bool:
    return not (head.startswith(TEXT_THAT_IS_VIDEO) or head.translate(None, bytes(range(128))) or b"\0" in head)
