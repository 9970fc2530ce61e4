"""Motion JPEG over HTTP as cameras send it, which is seldom as the standard has it."""

from itertools import pairwise

import pytest

from streamaffect.errors import SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from streamaffect.types import pixels
from tests.support.http_stream import MOTION_JPEG, HttpVideo, Wrapped, part
from tests.support.videos import number_of

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
CAMERAS: dict[str, tuple[str, Wrapped]] = {
    "as it should be": (MOTION_JPEG, part()),
    "a boundary in quotes": ('multipart/x-mixed-replace;boundary="frame"', part()),
    "announced with dashes": ("multipart/x-mixed-replace; boundary=--frame", part()),
    "sent without dashes": (MOTION_JPEG, part("frame")),
    "another boundary": (MOTION_JPEG, part("--other")),
    "no boundary announced": ("multipart/x-mixed-replace", part()),
    "lines of one character": (MOTION_JPEG, part(line="\n", after="\n")),
    "no length": (MOTION_JPEG, part(length="")),
    "a length of 0": (MOTION_JPEG, part(length="Content-Length: 0")),
    "no type": (MOTION_JPEG, part(kind="")),
    "nothing but a boundary": (MOTION_JPEG, part(kind="", length="")),
    "image/jpg": (MOTION_JPEG, part(kind="Content-Type: image/jpg")),
    "no end of line after a picture": (MOTION_JPEG, part(after="")),
    "bare": ("image/jpeg", lambda jpeg: jpeg),
    "bare, by another name": ("video/x-motion-jpeg", lambda jpeg: jpeg),
    "with a text before": (
        MOTION_JPEG,
        lambda jpeg: b"--frame\r\nContent-Type: text/plain\r\n\r\nhi\r\n" + part()(jpeg),
    ),
}


@pytest.mark.parametrize("kind", CAMERAS)
def test_the_pictures_of_every_camera_are_read_in_order(kind: str) -> None:
    announced, wrapped = CAMERAS[kind]
    with (
        HttpVideo(announced=announced, wrapped=wrapped) as server,
        make_source(f"{server.url}/live", settings=SETTINGS) as source,
    ):
        info = source.open()
        frames = [source.read() for _ in range(10)]
    assert (info.kind, info.live, info.width, info.height) == ("http", True, 64, 48)
    for earlier, later in pairwise(frames):
        shown = (number_of(pixels(later.image)) - number_of(pixels(earlier.image))) % 32
        assert shown == later.index - earlier.index


def test_a_picture_whose_length_is_not_stated_is_a_single_picture() -> None:
    with (
        HttpVideo(announced="image/jpeg", wrapped=lambda jpeg: jpeg, most=1) as server,
        make_source(f"{server.url}/live", settings=SETTINGS) as source,
        pytest.raises(SourceOpenError, match="is a single picture; give the path at which the camera streams"),
    ):
        source.open()
