"""A camera that is opened again and again leaves nothing behind: no memory, threads or descriptors.

A thousand times: `python benchmarks/faults.py --reconnects 1000`.
"""

import gc
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from benchmarks.measures.faults.reconnects import states
from streamaffect.errors import SourceError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from tests.support.fault_proxy import FaultProxy
from tests.support.rtsp_server import RtspServer
from tests.support.videos import picture

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
TIMES = 25
LARGE_PX = 640 * 360
GROWTH_MB = 8.0  # two pictures that are kept each time come to twice as much


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is let go of has to go by itself, and not with the garbage."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_no_picture_and_no_thread_of_an_earlier_connection_is_left() -> None:
    with RtspServer(lambda number: picture(number % 32, width=640, height=360), fps=100.0) as server:
        with make_source(server.url, settings=SETTINGS) as source:
            for _ in range(TIMES):
                source.open()
                source.read()
            assert sum(is_large(one) for one in gc.get_objects()) < TIMES / 2
        wait_until_only_the_servers_threads_are_left(server)


def is_large(one: object) -> bool:
    if type(one) is not VideoFrame:  # isinstance would ask objects that answer with a warning
        return False
    assert isinstance(one, VideoFrame)
    return one.width * one.height >= LARGE_PX


@pytest.mark.usefixtures("no_collector")
def test_an_attempt_that_fails_leaves_nothing_either() -> None:
    with (
        RtspServer(lambda _: picture(0)) as server,
        FaultProxy(server.port) as proxy,
        make_source(f"rtsp://127.0.0.1:{proxy.port}/live", settings=SETTINGS) as source,
    ):
        source.open()
        descriptors = open_descriptors()
        proxy.play("refused")
        for _ in range(TIMES):
            with pytest.raises(SourceError):
                source.open()
        assert open_descriptors() <= descriptors


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def wait_until_only_the_servers_threads_are_left(server: RtspServer) -> None:
    def ours() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith(("grab ", "relay "))]

    end_s = time.monotonic() + 20
    while ours() and time.monotonic() < end_s:
        time.sleep(0.01)
    assert ours() == []


@pytest.mark.usefixtures("no_collector")
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")
def test_memory_threads_and_descriptors_stay_as_they_are() -> None:
    first, *_, last = (state for _, state in states(TIMES, warm_up=10))
    assert last.memory_mb < first.memory_mb + GROWTH_MB
    assert last.threads <= first.threads + 2
    assert last.descriptors <= first.descriptors + 4
