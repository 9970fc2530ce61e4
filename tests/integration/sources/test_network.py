import socket
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from streamaffect.errors import SourceEndedError, SourceOpenError, SourceStalledError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.sources.parse import make_source
from streamaffect.types import ImageArray
from tests.support.http_stream import HttpVideo
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import number_of, picture, write_video

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
IMPATIENT = SourceSettings(open_timeout_s=1.0, read_timeout_s=0.5)
PASSWORD, ESCAPED = "s3:cr@t/", "s3%3Acr%40t%2F"


def looping(number: int) -> ImageArray:
    return picture(number % 32)


def with_user(url: str, user_and_password: str) -> str:
    return url.replace("://", f"://{user_and_password}@")


def opening_error(url: str, settings: SourceSettings = SETTINGS) -> str:
    with pytest.raises(SourceOpenError) as caught, make_source(url, settings=settings) as source:
        source.open()
    message = str(caught.value)
    assert "\n" not in message
    assert not any(secret in message for secret in (PASSWORD, ESCAPED, "wrong"))
    return message


def test_an_rtsp_stream_is_read_with_increasing_index_and_time() -> None:
    with RtspServer(looping) as server, make_source(server.url, settings=SETTINGS) as source:
        info = source.open()
        frames = [source.read() for _ in range(20)]
    assert (info.kind, info.live, info.width, info.height, info.frames) == ("rtsp", True, 64, 48, None)
    assert info.address == server.url
    assert frames[0].image.shape == (48, 64, 3)
    for earlier, later in pairwise(frames):
        assert later.index > earlier.index
        assert later.time_s > earlier.time_s
        assert (number_of(later.image) - number_of(earlier.image)) % 32 == later.index - earlier.index
    assert all(frame.pts_s is None and frame.grabbed_ns is not None for frame in frames)


def test_a_slow_reader_gets_the_newest_frame_and_the_index_counts_the_skipped_ones() -> None:
    sent_more = threading.Event()
    wanted = [1 << 30]

    def counting(number: int) -> ImageArray:
        if number >= wanted[0]:
            sent_more.set()
        wanted.append(number)
        return looping(number)

    with RtspServer(counting) as server, make_source(server.url, settings=SETTINGS) as source:
        source.open()
        before = source.read()
        wanted[0] = wanted[-1] + 25
        assert sent_more.wait(20)
        after = source.read()
    assert after.index >= before.index + 10


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_the_right_password_opens_the_stream_and_is_never_shown(scheme: Literal["Basic", "Digest"]) -> None:
    with RtspServer(looping, credentials=Credentials("ann", PASSWORD, scheme)) as server:
        source = make_source(with_user(server.url, f"ann:{ESCAPED}"), settings=SETTINGS)
        assert source.open().address == f"rtsp://***@127.0.0.1:{server.port}/live"
        assert source.read().image.shape == (48, 64, 3)
        source.close()


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_wrong_credentials_are_told_from_missing_ones(scheme: Literal["Basic", "Digest"]) -> None:
    with RtspServer(looping, credentials=Credentials("ann", PASSWORD, scheme)) as server:
        assert "refuses this user and password (401)" in opening_error(with_user(server.url, "ann:wrong"))
        assert "asks for a user and password; give them as rtsp://user:password@" in opening_error(server.url)


def test_an_unknown_path_is_named_as_such() -> None:
    with RtspServer(looping) as server:
        assert "no such path (404)" in opening_error(server.url.replace("live", "other"))


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http", "https"])
def test_a_refused_connection_names_the_port(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    message = opening_error(f"{scheme}://ann:{ESCAPED}@127.0.0.1:{port}/live")
    assert f"refuses connections on port {port}" in message


def test_an_unknown_host_is_named_as_such() -> None:
    assert "host name is unknown" in opening_error("rtsp://no-such-camera.invalid/live")


def test_a_silent_host_is_given_up_and_named_as_such() -> None:
    with RtspServer(looping, answers=False) as server:
        assert "says nothing for 0.5 s" in opening_error(server.url, IMPATIENT)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "does not speak rtsp"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "does not speak rtsp"),
        (b"", "takes the connection and closes it"),
        (b"RTSP/1.0 503 Busy\r\n\r\n", "answers with status 503"),
        (b"RTSP/1.0 403 Forbidden\r\n\r\n", "forbids access (403)"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not with a video that FFmpeg can decode"),
    ],
)
def test_a_host_that_answers_something_else_is_named_as_such(reply: bytes, expected: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_all, args=(listener, reply), daemon=True).start()
        assert expected in opening_error(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live")
        listener.shutdown(socket.SHUT_RDWR)


def answer_all(listener: socket.socket, reply: bytes) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.recv(4096)
            client.sendall(reply)


def test_a_stream_that_falls_silent_stalls_within_its_timeout() -> None:
    settings = SourceSettings(open_timeout_s=20.0, read_timeout_s=1.0)
    with RtspServer(looping) as server, make_source(server.url, settings=settings) as source:
        source.open()
        server.sending.clear()
        with pytest.raises(SourceStalledError, match=r"no (frame|data) for 1 s|connection broke"):
            while True:
                source.read()


def test_a_server_that_breaks_off_stalls_the_source() -> None:
    with RtspServer(looping) as server, make_source(server.url, settings=SETTINGS) as source:
        source.open()
        server.kill()
        with pytest.raises(SourceStalledError, match="connection broke after"):
            while True:
                source.read()


def closed_while(source: Source, blocked: Callable[[], object]) -> None:
    """Close `source` from another thread while this one is in `blocked`, which must then end."""
    threading.Timer(0.2, source.close).start()
    with pytest.raises(SourceEndedError, match="was closed"):
        blocked()


def test_closing_ends_an_opening_that_hangs() -> None:
    with RtspServer(looping, answers=False) as server:
        source = make_source(server.url, settings=SourceSettings(open_timeout_s=3000.0))
        closed_while(source, source.open)


def test_closing_ends_a_read_that_hangs() -> None:
    patient = SourceSettings(open_timeout_s=20.0, read_timeout_s=3000.0)
    with RtspServer(looping) as server:
        source = make_source(server.url, settings=patient)
        source.open()
        server.sending.clear()

        def read_on() -> None:
            while True:
                source.read()

        closed_while(source, read_on)
        with pytest.raises(SourceEndedError):
            source.open()


def test_motion_jpeg_over_http_is_read_live() -> None:
    with HttpVideo() as server, make_source(f"{server.url}/live", settings=SETTINGS) as source:
        info = source.open()
        frames = [source.read() for _ in range(10)]
    assert (info.kind, info.live, info.frames) == ("http", True, None)
    assert all(later.index > earlier.index for earlier, later in pairwise(frames))


def test_what_http_can_answer_instead_of_live_video_is_named(tmp_path: Path) -> None:
    with HttpVideo(write_video(tmp_path / "v.mp4", frames=10)) as server:
        assert "not with a video that FFmpeg can decode" in opening_error(f"{server.url}/page")
        assert "is a recording, not a live stream; download it" in opening_error(f"{server.url}/recording.mp4")
        assert "no such path (404)" in opening_error(f"{server.url}/other")
        assert "asks for a user and password" in opening_error(f"{server.url}/locked")
        assert "refuses this user and password" in opening_error(with_user(f"{server.url}/locked", "ann:wrong"))


def test_a_camera_that_is_not_there_is_reported_with_what_to_try() -> None:
    message = opening_error("webcam:99")
    assert message.startswith("webcam:99: no such camera; ")
    assert "demo" in message
