"""What a supervisor sees of a run: 2 for what no restart cures, 1 for what one may; a start without a dead camera."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.messages import Estimate, Event, Health, Message
from tests.support.bundles import write_bundle
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import picture

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"
IN_A_MOUNT_OF_ITS_OWN = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
OFF = "rtsp://me:secret@127.0.0.1:9/live"  # nobody listens on the discard port
WAIT_S = 30.0

# A file whose fourteenth frame cannot be read: what a disk that dies, or a share that goes away, looks like.
DYING_FILE = """
import sys
from streamaffect.errors import SourceOpenError
from streamaffect.sources.file import FileSource
from streamaffect.cli import main
read, left = FileSource.read, [13]

def failing(source):
    left[0] -= 1
    if left[0] < 0:
        raise SourceOpenError("clip.mp4: input/output error; check the disk")
    return read(source)

FileSource.read = failing
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def command(bundle: Path, *arguments: str, bind: str = "tcp://127.0.0.1:0") -> list[str]:
    words = [sys.executable, str(ROOT / "run_stream.py"), "--bundle", str(bundle), "--bind", bind]
    return [*words, "--no-display", *arguments]


def finish(words: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload, no-any-return]


def may_mount() -> bool:
    try:
        return subprocess.run([*IN_A_MOUNT_OF_ITS_OWN, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("webcam:99", "no such camera"),
        (OFF, "the host refuses connections"),
        ("rtsp://camera.invalid/live", "the host name is unknown"),
    ],
    ids=["not plugged in", "off", "no DNS"],
)
def test_a_camera_that_is_not_there_ends_with_1_so_that_a_supervisor_tries_again(
    bundle: Path, source: str, said: str
) -> None:
    done = finish(command(bundle, "--source", source))
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_a_wrong_password_ends_with_2(bundle: Path) -> None:
    with RtspServer(lambda i: picture(i % 32), credentials=Credentials("ann", "right")) as server:
        url = server.url.replace("://", "://ann:wrong@")
        done = finish(command(bundle, "--source", url))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "401" in done.stderr


@pytest.mark.skipif(not may_mount(), reason="needs unshare and user namespaces")
def test_a_disk_that_is_full_at_the_start_ends_with_1(bundle: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    full = f"mount -t tmpfs -o size=16k tmpfs {disk} && (cat /dev/zero > {disk}/filler || true) 2> /dev/null && "
    words = command(bundle, "--source", str(DEMO), "--record", str(disk / "run.jsonl"))
    done = finish([*IN_A_MOUNT_OF_ITS_OWN, full + "exec " + " ".join(words)])
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "No space left on device" in done.stderr


def test_a_source_that_dies_ends_with_1_and_its_end_says_why(bundle: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    words = command(bundle, "--source", str(DEMO), "--record", str(recording))
    done = finish([sys.executable, "-c", DYING_FILE, *words[2:]])
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert '"event":"source_ended"' in recording.read_text()
    assert "input/output error; check the disk" in recording.read_text()


def test_all_sources_away_end_with_1_and_one_line(bundle: Path) -> None:
    done = finish(command(bundle, "--source", f"a={OFF}", "--source", f"b={OFF}"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_who_insists_gets_no_run_without_all_cameras(bundle: Path) -> None:
    done = finish(command(bundle, "--source", "demo", "--source", OFF, "--require-all"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_mistake_in_one_of_many_sources_ends_with_2(bundle: Path) -> None:
    done = finish(command(bundle, "--source", "demo", "--source", "nope.mp4"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_run_starts_without_a_dead_camera_which_joins_when_it_is_back(bundle: Path, tmp_path: Path) -> None:
    with RtspServer(lambda i: picture(i % 32)) as server:
        port = server.port
    address = f"ipc://{tmp_path}/feed"
    sources = ["--source", "alive=demo", "--source", f"dead=rtsp://127.0.0.1:{port}/live"]
    settings = ["--set", "source.backoff_min_s=0.2", "--set", "source.backoff_max_s=0.5"]
    with Subscriber(address) as feed:
        process = subprocess.Popen(
            command(bundle, *sources, *settings, bind=address), cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        try:
            until(feed, lambda one: isinstance(one, Estimate) and one.stream == "alive")
            lost = until(feed, lambda one: isinstance(one, Health) and one.stream == "dead")
            with RtspServer(lambda i: picture(i % 32), port=port):
                back = until(feed, lambda one: isinstance(one, Event) and one.event == "source_back")
                live = until(feed, lambda one: isinstance(one, Health) and one.stream == "dead" and one.frames > 0)
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert isinstance(lost, Health) and lost.state == "lost"
    assert back.stream == "dead"
    assert isinstance(live, Health) and live.reconnects == 1
    assert "the others start without it" in err


def until(feed: Subscriber, is_wanted: Callable[[Message], bool]) -> Message:
    while (message := feed.receive(WAIT_S)) is not None:
        if is_wanted(message):
            return message
    raise AssertionError(f"no such message within {WAIT_S:.0f} s")
