"""Motion JPEG over HTTP as cameras send it, which is seldom as the standard has it."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import cv2
import pytest

from streamaffect.errors import SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from streamaffect.types import pixels
from tests.support.videos import number_of, picture

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
ANNOUNCED = "multipart/x-mixed-replace; boundary=frame"
Wrapped = Callable[[bytes], bytes]


def part(
    boundary: str = "--frame",
    *,
    kind: str = "Content-Type: image/jpeg",
    length: str = "Content-Length: {}",
    line: str = "\r\n",
    after: str = "\r\n",
) -> Wrapped:
    def wrapped(jpeg: bytes) -> bytes:
        head = [boundary, *(field.format(len(jpeg)) for field in (kind, length) if field), "", ""]
        return line.join(head).encode() + jpeg + after.encode()

    return wrapped


CAMERAS: dict[str, tuple[str, Wrapped]] = {
    "as it should be": (ANNOUNCED, part()),
    "a boundary in quotes": ('multipart/x-mixed-replace;boundary="frame"', part()),
    "announced with dashes": ("multipart/x-mixed-replace; boundary=--frame", part()),
    "sent without dashes": (ANNOUNCED, part("frame")),
    "another boundary": (ANNOUNCED, part("--other")),
    "no boundary announced": ("multipart/x-mixed-replace", part()),
    "lines of one character": (ANNOUNCED, part(line="\n", after="\n")),
    "no length": (ANNOUNCED, part(length="")),
    "a length of 0": (ANNOUNCED, part(length="Content-Length: 0")),
    "no type": (ANNOUNCED, part(kind="")),
    "nothing but a boundary": (ANNOUNCED, part(kind="", length="")),
    "image/jpg": (ANNOUNCED, part(kind="Content-Type: image/jpg")),
    "no end of line after a picture": (ANNOUNCED, part(after="")),
    "bare": ("image/jpeg", lambda jpeg: jpeg),
    "bare, by another name": ("video/x-motion-jpeg", lambda jpeg: jpeg),
    "with a text before": (ANNOUNCED, lambda jpeg: b"--frame\r\nContent-Type: text/plain\r\n\r\nhi\r\n" + part()(jpeg)),
}


@contextmanager
def camera(announced: str, wrapped: Wrapped, *, most: int | None = None) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, announced, wrapped, most))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/video"
        thread.join(10)
        assert not thread.is_alive()


def serve(listener: socket.socket, announced: str, wrapped: Wrapped, most: int | None) -> None:
    guest, _ = listener.accept()
    with guest, contextlib.suppress(OSError):
        guest.recv(4096)
        guest.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {announced}\r\n\r\n".encode())
        for number in itertools.islice(itertools.count(), most):
            guest.sendall(wrapped(cv2.imencode(".jpg", picture(number % 32))[1].tobytes()))
            time.sleep(0.01)


@pytest.mark.parametrize("kind", CAMERAS)
def test_the_pictures_of_every_camera_are_read_in_order(kind: str) -> None:
    with camera(*CAMERAS[kind]) as url, make_source(url, settings=SETTINGS) as source:
        info = source.open()
        frames = [source.read() for _ in range(10)]
    assert (info.kind, info.live, info.width, info.height) == ("http", True, 64, 48)
    for earlier, later in pairwise(frames):
        shown = (number_of(pixels(later.image)) - number_of(pixels(earlier.image))) % 32
        assert shown == later.index - earlier.index


def test_a_picture_whose_length_is_not_stated_is_a_single_picture() -> None:
    with (
        camera("image/jpeg", lambda jpeg: jpeg, most=1) as url,
        make_source(url, settings=SETTINGS) as source,
        pytest.raises(SourceOpenError, match="is a single picture; give the path at which the camera streams"),
    ):
        source.open()
