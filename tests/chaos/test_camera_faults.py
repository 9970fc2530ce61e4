"""Every fault of a network and of a camera, between a real server and a supervised source; each ends well.

Figures are in `benchmarks/faults.py`; here the times are short, and the bounds of a busy machine.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import pytest
from msgspec.structs import replace

from streamaffect.errors import SourceError, SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.file import FileSource
from streamaffect.sources.parse import make_source
from streamaffect.types import ImageArray
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.http_stream import HttpVideo
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import number_of, picture
from tests.support.watched import Watched

SETTINGS = SourceSettings(open_timeout_s=10.0, read_timeout_s=0.6, backoff_min_s=0.05, backoff_max_s=0.1)
PATIENT = replace(SETTINGS, open_timeout_s=120.0, read_timeout_s=30.0)  # where a busy machine must not be a fault
RIGHT, WRONG = Credentials("ann", "s3cret", "Digest"), Credentials("ann", "changed", "Digest")
SOON_S = 15.0  # a camera is back after a tenth of it, on a machine that has time


def small(number: int) -> ImageArray:
    return picture(number % 32)


def large(number: int) -> ImageArray:
    return picture(number % 32, width=128, height=96)


@pytest.fixture(params=["rtsp", "http"])
def camera(request: pytest.FixtureRequest) -> Iterator[RtspServer | HttpVideo]:
    with (RtspServer if request.param == "rtsp" else HttpVideo)(picture=small, credentials=RIGHT) as running:
        yield running


@pytest.fixture
def proxy(camera: RtspServer | HttpVideo) -> Iterator[FaultProxy]:
    with FaultProxy(camera.port) as running:
        yield running


@pytest.fixture
def watched(camera: RtspServer | HttpVideo, proxy: FaultProxy) -> Iterator[Watched]:
    """Read by somebody who takes little more than half a second without a picture for a lost camera."""
    with watching(camera, proxy, SETTINGS) as running:
        yield running


@pytest.fixture
def patient(camera: RtspServer | HttpVideo, proxy: FaultProxy) -> Iterator[Watched]:
    """Read by somebody who waits for the next picture."""
    with watching(camera, proxy, PATIENT) as running:
        yield running


@contextmanager
def watching(camera: RtspServer | HttpVideo, proxy: FaultProxy, settings: SourceSettings) -> Iterator[Watched]:
    scheme = "rtsp" if isinstance(camera, RtspServer) else "http"
    url = f"{scheme}://ann:{RIGHT.password}@127.0.0.1:{proxy.port}/live"
    with Watched(make_source(url, settings=settings), settings) as running:
        running.wait_for_frames(5)
        yield running


def assert_in_order(watched: Watched) -> None:
    for earlier, later in pairwise(watched.frames):
        assert later.index > earlier.index
        assert later.time_s > earlier.time_s
    assert not any(RIGHT.password in detail for _, _, detail in watched.events)


@pytest.mark.parametrize("fault", ["refused", "black hole", "headers only", "frozen", "closed", "dripping"])
def test_a_camera_that_fails_is_noticed_and_is_back_soon_after_its_return(
    watched: Watched, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.play(fault)
    watched.wait_for_event("source_lost")
    proxy.play("none")
    assert watched.seconds_until_frames(5) < SOON_S
    watched.end()
    assert watched.count("source_back") == watched.count("source_lost")
    assert_in_order(watched)


def test_a_password_that_is_wrong_for_a_while_is_tried_on(
    camera: RtspServer | HttpVideo, proxy: FaultProxy, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    camera.credentials = WRONG
    proxy.play("refused")
    proxy.play("none")
    watched.wait_for_event("source_lost")
    while "refuses this user and password" not in caplog.text:
        time.sleep(0.01)
    camera.credentials = RIGHT
    assert watched.seconds_until_frames(5) < SOON_S
    assert RIGHT.password not in caplog.text


def test_another_picture_size_in_the_middle_of_a_stream_is_read_on(
    camera: RtspServer | HttpVideo, patient: Watched
) -> None:
    camera.picture = large
    patient.wait_for_frames(10)
    assert patient.frames[-1].image.shape == (96, 128, 3)
    assert patient.events == []


def test_another_rate_in_the_middle_of_a_stream_is_read_on(camera: RtspServer | HttpVideo, patient: Watched) -> None:
    camera.fps = 5.0
    patient.wait_for_frames(5)
    camera.fps = 100.0
    patient.wait_for_frames(20)
    assert patient.events == []


def test_a_corrupt_picture_is_a_lost_picture_and_no_lost_camera() -> None:
    with (
        RtspServer(small, fps=100.0, credentials=RIGHT) as server,
        FaultProxy(server.port) as proxy,
        Watched(make_source(address(proxy), settings=PATIENT), PATIENT) as watched,
    ):
        proxy.play("corrupt")
        watched.wait_for_frames(120)
        assert watched.events == []
        assert watched.frames[-1].index < 1.2 * len(watched.frames)


def test_a_name_that_nobody_knows_for_a_while_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    is_known, look_up = threading.Event(), socket.getaddrinfo
    is_known.set()

    def look_up_if_known(host: str, *rest: object, **more: object) -> object:
        if host == "localhost" and not is_known.is_set():
            raise socket.gaierror("nobody knows")
        return look_up(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up_if_known)
    with RtspServer(small, credentials=RIGHT) as server, FaultProxy(server.port) as proxy:
        url = address(proxy).replace("127.0.0.1", "localhost")
        with Watched(make_source(url, settings=SETTINGS), SETTINGS) as watched:
            is_known.clear()
            proxy.play("closed")
            watched.wait_for_event("source_lost")
            proxy.play("none")
            with pytest.raises(SourceOpenError, match="host name is unknown"):
                make_source(url, settings=SETTINGS).open()
            is_known.set()
            assert watched.seconds_until_frames(5) < SOON_S


def test_a_slow_and_a_dead_camera_hold_up_no_other() -> None:
    dead = make_source("rtsp://127.0.0.1:1/live", settings=PATIENT)
    with (
        RtspServer(small, credentials=RIGHT) as server,
        FaultProxy(server.port) as frozen,
        FaultProxy(server.port) as hole,
    ):
        frozen.play("frozen")
        hole.play("black hole")
        hanging = [make_source(address(proxy), settings=PATIENT) for proxy in (frozen, hole) * 4]
        threads = [threading.Thread(target=open_in_vain, args=[source]) for source in (*hanging, dead)]
        for thread in threads:
            thread.start()
        with Watched(make_source(address(server), settings=SETTINGS), SETTINGS) as watched:
            watched.wait_for_frames(5)
            with FileSource(DEMO_CLIP) as file:
                assert file.open().frames == 250
            assert sum(thread.is_alive() for thread in threads) >= 8, "the others were to be still waiting"
        for source in hanging:
            source.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


def test_cameras_that_were_all_away_are_back_though_one_stays_frozen() -> None:
    with RtspServer(small, credentials=RIGHT) as server, ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(server.port)) for _ in range(5)]
        sources = [make_source(address(proxy), settings=SETTINGS) for proxy in proxies]
        cameras = [stack.enter_context(Watched(source, SETTINGS)) for source in sources]
        for proxy in proxies:
            proxy.play("refused")
        for camera in cameras:
            camera.wait_for_event("source_lost")
        for proxy in proxies:
            proxy.play("frozen" if proxy is proxies[0] else "none")
        for camera in cameras[1:]:
            assert camera.seconds_until_frames(5) < SOON_S
        assert cameras[0].count("source_back") == 0


def open_in_vain(source: Source) -> None:
    with pytest.raises(SourceError):
        source.open()


def address(camera: FaultProxy | RtspServer) -> str:
    return f"rtsp://ann:{RIGHT.password}@127.0.0.1:{camera.port}/live"


def test_pictures_by_udp_are_read_and_missed() -> None:
    udp = SourceSettings(read_timeout_s=0.6, backoff_min_s=0.05, backoff_max_s=0.1, rtsp_transport="udp")
    with RtspServer(small) as server, Watched(make_source(server.url, settings=udp), udp) as watched:
        watched.wait_for_frames(5)
        assert {number_of(frame.image) for frame in watched.frames} <= set(range(32))
        server.sending.clear()
        watched.wait_for_event("source_lost")
        server.sending.set()
        assert watched.seconds_until_frames(5) < SOON_S
