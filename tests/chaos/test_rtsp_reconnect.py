from collections.abc import Iterator
from itertools import pairwise

import pytest
from msgspec.structs import replace

from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from streamaffect.types import Frame, ImageArray
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import picture
from tests.support.watched import Watched

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=30.0, backoff_min_s=0.05, backoff_max_s=0.2)
PASSWORD = "hunter2"
CREDENTIALS = Credentials("ann", PASSWORD)


def small(number: int) -> ImageArray:
    return picture(number % 32)


def large(number: int) -> ImageArray:
    return picture(number % 32, width=128, height=96)


@pytest.fixture
def server() -> Iterator[RtspServer]:
    with RtspServer(small, credentials=CREDENTIALS) as running:
        yield running


@pytest.fixture
def watched(server: RtspServer) -> Iterator[Watched]:
    running = watching(server, SETTINGS)
    yield running
    running.end()


def watching(server: RtspServer, settings: SourceSettings) -> Watched:
    url = server.url.replace("://", f"://ann:{PASSWORD}@")
    return Watched(make_source(url, settings=settings), settings)


def assert_in_order(found: list[Frame]) -> None:
    for earlier, later in pairwise(found):
        assert later.index > earlier.index
        assert later.time_s > earlier.time_s


def test_a_killed_server_that_comes_back_is_read_on(server: RtspServer, watched: Watched) -> None:
    watched.wait_for_frames(5)
    server.kill()
    watched.wait_for_event("source_lost")
    with RtspServer(small, credentials=CREDENTIALS, port=server.port):
        watched.wait_for_event("source_back")
        watched.wait_for_frames(5)
        watched.end()
    assert [change for change, _, _ in watched.events] == ["source_lost", "source_back"]
    assert watched.events[1][1] > 0.0
    assert watched.events[1][2] == "same picture size"
    assert_in_order(watched.frames)


def test_a_server_that_comes_back_with_another_size_is_read_on(server: RtspServer, watched: Watched) -> None:
    watched.wait_for_frames(5)
    server.kill()
    with RtspServer(large, credentials=CREDENTIALS, port=server.port):
        watched.wait_for_event("source_back")
        watched.wait_for_frames(5)
        watched.end()
    assert watched.frames[-1].image.shape == (96, 128, 3)
    assert watched.events[-1][2] == "picture size changed from 64x48 to 128x96"


def test_a_server_that_falls_silent_for_a_while_is_read_on(server: RtspServer) -> None:
    with watching(server, replace(SETTINGS, read_timeout_s=1.0)) as watched:
        watched.wait_for_frames(5)
        server.sending.clear()
        watched.wait_for_event("source_lost")
        server.sending.set()
        watched.wait_for_event("source_back")
        watched.wait_for_frames(5)
    assert_in_order(watched.frames)


def test_every_further_loss_is_recovered_too(server: RtspServer, watched: Watched) -> None:
    port = server.port
    server.kill()
    for times in (1, 2, 3):
        with RtspServer(small, credentials=CREDENTIALS, port=port):
            watched.wait_for_event("source_back", times=times)
        watched.wait_for_event("source_lost", times=times + 1)
    assert_in_order(watched.frames)


def test_a_server_that_comes_back_broken_is_not_given_up(server: RtspServer, watched: Watched) -> None:
    watched.wait_for_frames(5)
    server.kill()
    with RtspServer(small, credentials=Credentials("ann", "changed"), port=server.port):
        watched.wait_for_event("source_lost")
    with RtspServer(small, credentials=CREDENTIALS, port=server.port):
        watched.wait_for_event("source_back")


def test_no_event_shows_the_password(server: RtspServer, watched: Watched) -> None:
    server.kill()
    watched.wait_for_event("source_lost")
    assert f"rtsp://***@127.0.0.1:{server.port}/live" in watched.events[0][2]
    assert PASSWORD not in repr(watched.events)


def test_ending_while_the_server_is_away_does_not_wait_for_it(server: RtspServer, watched: Watched) -> None:
    server.kill()
    watched.wait_for_event("source_lost")
    watched.end()
