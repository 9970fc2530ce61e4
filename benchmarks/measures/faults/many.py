"""Many cameras at once, some of which are away: how long the others have to wait. Without faces and estimates."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from streamaffect.errors import SourceError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.file import FileSource
from streamaffect.sources.parse import make_source
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.rtsp_server import RtspServer
from tests.support.videos import picture
from tests.support.watched import Watched

SETTINGS = SourceSettings()
ABSENCES_S = (1.0, 5.0, 20.0, 65.0)


@dataclass(frozen=True, slots=True)
class Waited:
    """How long something took at best and at worst. wanted_s: the goal, None where there is none"""

    what: str
    least_s: float
    most_s: float
    wanted_s: float | None


def waits() -> Iterator[Waited]:
    """Each of them, one after the other."""
    with RtspServer(lambda number: picture(number % 32, width=640, height=360)) as server:
        yield _a_file_beside_a_silent_camera(server)
        yield _many_opened(server, 16)
        yield _all_back(server, 8, "eight cameras, all out for 5 s, are back after", away_s=5.0)
        yield _back_beside_a_frozen_one(server, 10)
        for away_s in ABSENCES_S:
            yield _all_back(server, 1, f"a camera, out for {away_s:g} s, is back after", away_s=away_s)


def _a_file_beside_a_silent_camera(server: RtspServer) -> Waited:
    with FaultProxy(server.port) as proxy:
        proxy.play("frozen")
        silent = make_source(_address(proxy), settings=SETTINGS)
        opening = threading.Thread(target=_open_in_vain, args=[silent])
        opening.start()
        time.sleep(0.2)
        with FileSource(DEMO_CLIP) as file:
            took_s = _seconds(file.open)
        assert opening.is_alive(), "the camera was to be silent"
        silent.close()
        opening.join()
    return Waited("a file, while a silent camera is opened, is open after", took_s, took_s, None)


def _many_opened(server: RtspServer, count: int) -> Waited:
    sources = [make_source(server.url, settings=SETTINGS) for _ in range(count)]
    took: list[float] = []
    threads = [threading.Thread(target=lambda one=one: took.append(_seconds(one.open))) for one in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for source in sources:
        source.close()
    return Waited(f"{count} cameras, opened at once, are open after", min(took), max(took), None)


def _all_back(server: RtspServer, count: int, what: str, *, away_s: float) -> Waited:
    with ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(server.port)) for _ in range(count)]
        cameras = _read_through(proxies, stack)
        _play(proxies, "refused")
        time.sleep(away_s)
        _play(proxies, "none")
        back = _until_each_is_back(cameras)
    return Waited(what, min(back), max(back), 2.0)


def _back_beside_a_frozen_one(server: RtspServer, count: int) -> Waited:
    with ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(server.port)) for _ in range(count)]
        cameras = _read_through(proxies, stack)
        _play(proxies, "refused")
        time.sleep(5.0)
        _play(proxies[:1], "frozen")
        _play(proxies[1:], "none")
        back = _until_each_is_back(cameras[1:])
    return Waited(f"{count} cameras out for 5 s, one then frozen: the others are back after", min(back), max(back), 2.0)


def _read_through(proxies: Sequence[FaultProxy], stack: ExitStack) -> list[Watched]:
    cameras = [
        stack.enter_context(Watched(make_source(_address(proxy), settings=SETTINGS), SETTINGS)) for proxy in proxies
    ]
    for camera in cameras:
        camera.wait_for_frames(5)
    return cameras


def _play(proxies: Sequence[FaultProxy], fault: Fault) -> None:
    for proxy in proxies:
        proxy.play(fault)


def _until_each_is_back(cameras: Sequence[Watched]) -> list[float]:
    """Seconds until each has given a picture."""
    back: list[float] = []
    threads = [threading.Thread(target=lambda one=one: back.append(one.seconds_until_frames(1))) for one in cameras]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return back


def _seconds(run: Callable[[], object]) -> float:
    began_s = time.monotonic()
    run()
    return time.monotonic() - began_s


def _open_in_vain(source: Source) -> None:
    with contextlib.suppress(SourceError):
        source.open()


def _address(proxy: FaultProxy) -> str:
    return f"rtsp://127.0.0.1:{proxy.port}/live"
