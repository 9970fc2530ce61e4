"""Cameras whose clocks jump: what they call the time of a picture means nothing here, and no picture is lost by it."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from streamaffect.types import Frame
from tests.support.cameras.rtp import encoded_h264
from tests.support.http_stream import Hls, HttpVideo, cut_into_pieces
from tests.support.rtsp_server import RtspServer
from tests.support.videos import number_of, picture
from tests.support.watched import Watched

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=30.0)
STEP = 3600  # 1/25 s in 90 kHz
WRAP = 1 << 32
HOUR = 3600 * 25 * STEP


@pytest.fixture(scope="module")
def h264() -> list[bytes]:
    return encoded_h264([picture(number) for number in range(30)])


JUMPS: dict[str, Callable[[int], int]] = {
    "forward": lambda number: number * STEP + (HOUR if number >= 20 else 0),
    "backward": lambda number: number * STEP + (0 if number >= 20 else HOUR),
    "wrap": lambda number: (WRAP - 20 * STEP + number * STEP) % WRAP,
    "back and forth": lambda number: number * STEP + (number // 7 % 2) * HOUR,
    "stopped": lambda number: min(number, 20) * STEP,
}


def assert_in_order(frames: Sequence[Frame]) -> None:
    for earlier, later in pairwise(frames):
        assert later.index > earlier.index
        assert 0 < later.time_s - earlier.time_s < 60  # the jumps are hours


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_every_picture_of_an_rtsp_camera_is_shown_when_it_comes(h264: list[bytes], codec: str, jump: str) -> None:
    pieces = h264 if codec == "h264" else []
    with (
        RtspServer(lambda number: picture(number % 30), h264=pieces, stamp=JUMPS[jump], fps=50.0) as server,
        Watched(make_source(server.url, settings=SETTINGS), SETTINGS) as watched,
    ):
        watched.wait_for_frames(60)
        frames = list(watched.frames)
        assert watched.events == []
    assert_in_order(frames)
    for earlier, later in pairwise(frames):
        assert (number_of(later.image) - number_of(earlier.image)) % 30 == later.index - earlier.index


def test_a_transport_stream_whose_time_jumps_back_and_forth_is_read_on(tmp_path: Path) -> None:
    pieces = cut_into_pieces(tmp_path, pieces=8, piece_s=0.4)
    order = [0, 1, 6, 7, 2, 3, 4, 5, 0, 1, 2]
    with (
        HttpVideo(hls=Hls([pieces[number] for number in order], 0.2)) as server,
        Watched(make_source(f"{server.url}/stream", settings=SETTINGS), SETTINGS) as watched,
    ):
        watched.wait_for_frames(80)
        assert watched.count("source_lost") == 0
        frames = list(watched.frames)
    assert_in_order(frames)
    shown = {number_of(frame.image) for frame in frames}  # a busy machine skips some
    assert {number // 4 for number in shown} == set(range(8)), "all parts of the clip were shown"
