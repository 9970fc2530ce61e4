"""The page at the command line: a run and a recording that programs ask, and each mistake in one line."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect.cli import main
from streamaffect.messages import Event
from streamaffect.recordings.reading import read_recording
from tests.support.bundles import write_bundle
from tests.support.recordings import estimate_at, record
from tests.support.web.pages import Caller, ask

pytestmark = pytest.mark.usefixtures("runtime_folder")

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0


@contextmanager
def program(*words: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """The program in a process of its own, which must end in order when it is asked to."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run_stream.py"), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == 0, said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def wait_for_a_face(port: int) -> dict[str, object]:
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        try:
            if estimates := ask(port, "/v1/latest").json["estimates"]:
                found: dict[str, object] = estimates[0]
                return found
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail("no face came")


def test_a_run_shows_its_faces_and_takes_markers_and_recordings_from_its_page(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir(mode=0o700)
    port = free_port()
    words = ["--source", "cam=synthetic", "--bundle", str(write_bundle(tmp_path / "bundle")), "--no-display"]
    words += ("--bind", "tcp://127.0.0.1:0", "--web", f"127.0.0.1:{port}", "--web-video", "blurred")
    with program(*words, folder=folder):
        assert wait_for_a_face(port)["stream"] == "cam"
        assert ask(port, "/v1/page").json["video"] == "blurred"
        assert ask(port, "/v1/picture?stream=cam").body.startswith(b"\xff\xd8")
        with Caller(port) as caller:
            caller.send({"command": "record"})
            assert caller.next("reply")["ok"]
            caller.send({"command": "mark", "label": "from the page"})
            assert caller.next("reply")["ok"]
            for command in ({"command": "stop"}, {"command": "remove", "name": "cam"}, {"command": "none"}, 7):
                caller.send(command)
                assert "docs/page.md" in caller.next("reply")["error"]
            caller.send({"command": "record"})
            assert caller.next("reply")["text"].startswith("recorded to")
    (recording,) = folder.glob("*.jsonl")
    events = [one for one in read_recording(recording) if isinstance(one, Event) and one.event == "marker"]
    assert [(one.label, one.origin) for one in events] == [("from the page", "page")]


def test_a_run_whose_control_is_off_has_no_buttons(tmp_path: Path) -> None:
    port = free_port()
    words = ["--source", "synthetic", "--bundle", str(write_bundle(tmp_path / "bundle")), "--no-display"]
    words += ("--bind", "tcp://127.0.0.1:0", "--web", f"127.0.0.1:{port}", "--control", "off")
    with program(*words, folder=tmp_path):
        wait_for_a_face(port)
        assert ask(port, "/v1/page").json["commands"] is False


def test_a_recording_is_viewed_until_a_signal_comes(tmp_path: Path) -> None:
    path = record(tmp_path / "clip.jsonl", [estimate_at(i / 25, seq=i) for i in range(50)])
    video = tmp_path / "clip.mp4"
    video.write_bytes(bytes(range(256)))
    words = ("view", str(path), "--web", "127.0.0.1:0", "--video", str(video), "--video-offset", "0.5")
    with program(*words, folder=tmp_path) as process:
        assert process.stdout is not None
        assert "50 estimates" in process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found is not None
        port = int(found[1])
        about = ask(port, "/v1/recording").json
        assert (about["name"], about["estimates"], about["video"]) == ("clip.jsonl", 50, {"offset_s": 0.5})
        assert ask(port, "/v1/page").json["mode"] == "recording"
        assert len(ask(port, "/v1/recording/course/0").body) == 50 * (8 + 4 * len(about["columns"]))
        assert ask(port, "/v1/recording/course/1").status == 404
        part = ask(port, "/v1/recording/video", range="bytes=16-31")
        assert (part.status, part.body) == (206, bytes(range(16, 32)))
        shown = ask(port, "/v1/recording/export.csv?faces=0&from=0&to=0.1")
        assert len(shown.body.splitlines()) == 4
        assert ask(port, "/v1/recording/export.csv?faces=9&from=0&to=1").status == 400
        assert ask(port, "/v1/recording/export.csv?faces=0&from=x&to=1").status == 400


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--source", "synthetic", "--web", "0.0.0.0:8765"], "can be reached from other machines"),
        (["run", "--source", "synthetic", "--web", "nonsense"], "expected HOST:PORT"),
        (["run", "--source", "synthetic", "--web-video"], "add --web"),
        (["run", "--source", "synthetic", "--web", "127.0.0.1:0", "--web-token", "/none/token"], "No such file"),
        (["replay", "none.jsonl", "--web", "127.0.0.1:0", "--web-video"], "holds no pictures"),
        (["view", "none.jsonl", "--web", "127.0.0.1:0"], "cannot be read"),
        (["view", "none.jsonl", "--web", "[::]:0"], "can be reached from other machines"),
    ],
)
def test_a_mistake_is_said_in_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_port_in_use_ends_a_run_before_a_camera_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["run", "--source", "webcam:77", "--web", f"127.0.0.1:{port}"]) == 1
    assert f"--web 127.0.0.1:{port}: the port is in use" in capsys.readouterr().err


def test_without_the_extra_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamaffect.verbs.page.opening.find_spec", lambda _: None)
    assert main(["run", "--source", "synthetic", "--web", "127.0.0.1:0"]) == 2
    assert "pip install 'streamaffect[web]'" in capsys.readouterr().err
