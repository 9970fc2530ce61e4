"""A real run as a service: its manager hears of it, SIGHUP reads its settings again, its log is JSON."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.messages import Event, Health, Message
from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0
SETTINGS = """
[run]
sources = {sources}
bundle = "{bundle}"
record = "{folder}/%Y-%H%M%S.jsonl"
[feed]
bind = "ipc://{folder}/feed"
[control]
bind = "off"
[tracker]
max_faces = {max_faces}
"""
# Makes the terminal at its standard input its own, and becomes the rest of its words.
TAKES_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
Process = subprocess.Popen[str]


class Settings:
    """The file of a run, which can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "run.toml"
        self.bundle = write_bundle(folder / "bundle")
        self.feed = f"ipc://{folder}/feed"

    def write(self, *sources: str, max_faces: int = 8) -> None:
        text = SETTINGS.format(sources=json.dumps(sources), bundle=self.bundle, folder=self.folder, max_faces=max_faces)
        self.path.write_text(text, encoding="utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


@contextmanager
def running(settings: Settings, *words: str, environment: dict[str, str] | None = None) -> Iterator[Process]:
    command = [sys.executable, str(ROOT / "run_stream.py"), "--config", str(settings.path), "--no-display", *words]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # without a terminal, as a service is
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(feed: Subscriber, is_wanted: Callable[[Message], bool]) -> Message:
    while (message := feed.receive(WAIT_S)) is not None:
        if is_wanted(message):
            return message
    raise AssertionError(f"no such message within {WAIT_S:.0f} s")


def end(process: Process) -> list[dict[str, str]]:
    """End the run; what it has logged."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, said
    return [json.loads(line) for line in said.splitlines()]


def test_hangup_takes_streams_in_and_out_and_says_what_waits_for_a_start(settings: Settings) -> None:
    settings.write("a=synthetic", "b=synthetic:faces=2")
    with running(settings, "--log-format", "json") as process, Subscriber(settings.feed) as feed:
        until(feed, lambda message: isinstance(message, Health) and message.stream == "b" and message.faces == 2)
        settings.write("c=synthetic:faces=2", "b=synthetic:faces=3", max_faces=1)
        with settings.path.open("a", encoding="utf-8") as file:
            file.write("[engine]\nthreads = 2\n")
        process.send_signal(signal.SIGHUP)
        until(feed, lambda message: isinstance(message, Event) and message.event == "stream_removed")
        until(feed, lambda message: isinstance(message, Health) and message.stream == "c" and message.faces == 1)
        settings.path.write_text("[run", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        until(feed, lambda message: isinstance(message, Health) and message.stream == "c")
        said = " ".join(entry["message"] for entry in end(process))
    assert "reload: c: added" in said
    assert "reload: a: is being removed" in said
    assert "stream 'b': has another source now" in said
    assert "reload: taken over: run.sources, tracker.max_faces" in said
    assert "reload: engine.threads: only a new start takes that over" in said
    assert "not TOML" in said
    assert len(list(settings.folder.glob("2*-*.jsonl"))) == 1


def test_the_manager_hears_that_the_run_is_ready_alive_reloading_and_about_to_end(settings: Settings) -> None:
    settings.write("a=synthetic")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(settings.folder / "notify"))
        manager.settimeout(WAIT_S)
        environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "2000000"}
        with running(settings, environment=environment) as process:
            assert manager.recv(4096) == b"READY=1"
            while b"1 face(s)" not in manager.recv(4096):
                pass
            process.send_signal(signal.SIGHUP)
            while not manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC="):
                pass
            while manager.recv(4096) != b"READY=1":
                pass
            process.send_signal(signal.SIGTERM)
            while manager.recv(4096) != b"STOPPING=1":
                pass
            assert process.wait(WAIT_S) == 0


def test_a_terminal_that_is_closed_ends_a_run_that_would_otherwise_reload(settings: Settings) -> None:
    settings.write("a=synthetic")
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "run_stream.py"), "--config", str(settings.path), "--no-display"]
    with (
        subprocess.Popen(
            [sys.executable, "-c", TAKES_TERMINAL, *command],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as process,
        Subscriber(settings.feed) as feed,
    ):
        os.close(theirs)
        try:
            until(feed, lambda message: isinstance(message, Health) and message.faces == 1)
            process.send_signal(signal.SIGHUP)  # from somebody: read again, and go on
            for _ in range(2):
                until(feed, lambda message: isinstance(message, Health) and message.faces == 1)
            os.close(ours)
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()


def test_days_without_a_recording_are_one_clear_line() -> None:
    words = [sys.executable, str(ROOT / "run_stream.py"), "--source", "synthetic", "--keep-days", "3"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, check=False, cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "--keep-days 3: is about the folder of --record, and nothing is recorded" in ended.stderr
