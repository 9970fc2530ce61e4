"""A network camera goes away under a running stream, and comes back: the whole program, a real server, a real feed."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.messages import Estimate, Event, Health, Message
from streamaffect.sources.video.reader import open_video
from streamaffect.types import ImageArray, pixels
from tests.support.bundles import write_bundle
from tests.support.rtsp_server import Credentials, RtspServer

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"
CREDENTIALS = Credentials("viewer", "s3cret!")
WAIT_S = 30.0


@pytest.fixture(scope="module")
def pictures() -> list[ImageArray]:
    reader = open_video(DEMO)
    images = [pixels(decoded[1]) for decoded in iter(reader.next, None)]
    reader.close()
    return images


@pytest.fixture
def picture(pictures: list[ImageArray]) -> Callable[[int], ImageArray]:
    return lambda i: pictures[i % len(pictures)]


@pytest.fixture
def feed_address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/feed"


def test_estimates_resume_by_themselves_and_the_downtime_is_told(
    picture: Callable[[int], ImageArray], tmp_path: Path, feed_address: str
) -> None:
    server = RtspServer(picture, credentials=CREDENTIALS)
    port = server.port
    url = server.url.replace("://", f"://{CREDENTIALS.user}:{CREDENTIALS.password}@")
    process = _start(url, write_bundle(tmp_path / "bundle"), feed_address)
    try:
        with Subscriber(feed_address, stream="door") as feed:
            before = _until(feed, lambda message: isinstance(message, Estimate))
            server.kill()
            lost = _until(feed, lambda message: isinstance(message, Event) and message.event == "source_lost")
            server = RtspServer(picture, credentials=CREDENTIALS, port=port)
            back = _until(feed, lambda message: isinstance(message, Event) and message.event == "source_back")
            after = _until(feed, lambda message: isinstance(message, Estimate))
            health = _until(feed, lambda message: isinstance(message, Health) and message.state == "live")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=10)
        server.kill()
    assert isinstance(before, Estimate) and isinstance(after, Estimate)
    assert after.seq > before.seq
    assert after.t_capture_ns > before.t_capture_ns
    assert after.status == "warming", "nothing from before the silence may be part of a clip"
    assert isinstance(lost, Event) and isinstance(back, Event)
    assert back.downtime_s is not None and back.downtime_s > 0
    assert isinstance(health, Health) and health.reconnects == 1 and health.downtime_s > 0
    assert process.returncode == 0
    told = err + lost.detail + back.detail
    assert CREDENTIALS.password not in told
    assert "Traceback" not in err


def _start(url: str, bundle: Path, address: str) -> "subprocess.Popen[str]":
    settings = ["source.read_timeout_s=20", "source.backoff_min_s=0.2", "source.backoff_max_s=1"]
    command = [sys.executable, str(ROOT / "run_stream.py"), "--source", f"door={url}", "--bundle", str(bundle)]
    command += ["--bind", address, *(word for setting in settings for word in ("--set", setting))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def _until(feed: Subscriber, is_wanted: Callable[[Message], bool]) -> Message:
    for message in _with_timeout(feed):
        if is_wanted(message):
            return message
    raise AssertionError("unreachable")


def _with_timeout(feed: Subscriber) -> Iterator[Message]:
    while (message := feed.receive(WAIT_S)) is not None:
        yield message
    raise AssertionError(f"no message for {WAIT_S:.0f} s")
