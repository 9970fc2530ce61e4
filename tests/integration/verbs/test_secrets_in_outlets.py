"""Passwords and a token of a run with every outlet on, JSON logs, a proxy and commands: in nothing that comes out."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import zmq

from tests.support.bundles import write_bundle
from tests.support.outlets.live import wait_until
from tests.support.outlets.processes import Process, free_port
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import picture
from tests.support.web.pages import ask

pytest.importorskip("pylsl", exc_type=ImportError)

pytestmark = pytest.mark.usefixtures("runtime_folder")

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0
CAMERA, BROKER, PAGE, OTHER = "hunter2", "broker's%hush", "page-token-of-this-run", "second-hunter3"
SECRETS = (CAMERA, BROKER, "broker%27s%25hush", PAGE, OTHER)


class Ears:
    """All that was said by processes and on sockets; threads add to it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def say(self, *parts: bytes) -> None:
        self.heard += parts

    @property
    def text(self) -> bytes:
        return b"\n".join(self.heard)


@contextmanager
def program(ears: Ears, folder: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a process, heard to its end, which must be orderly."""
    with subprocess.Popen(
        [sys.executable, "-m", "streamaffect", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield process
            process.terminate()
        finally:
            timer = threading.Timer(WAIT_S, process.kill)
            timer.start()
            said, _ = process.communicate()
            timer.cancel()
            ears.say(said)
    assert process.returncode == 0, said


def tell(ears: Ears, folder: Path, *words: str) -> str:
    """What a command says that ends by itself, whatever it thinks of its words."""
    found = subprocess.run(
        [sys.executable, "-m", "streamaffect", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=WAIT_S,
        check=False,
    ).stdout
    ears.say(found)
    return found.decode()


def hear_feed(ears: Ears, address: str, is_over: threading.Event) -> None:
    """All that a feed says, byte for byte."""
    with zmq.Context() as context, context.socket(zmq.SUB) as everything:
        everything.setsockopt(zmq.LINGER, 0)
        everything.subscribe(b"")
        everything.connect(address)
        while not is_over.is_set():
            if everything.poll(100):
                ears.say(*everything.recv_multipart())


def hear_process(ears: Ears, process: Process) -> None:
    """The lines of a receiver of an outlet, until it ends."""
    with suppress(AssertionError):
        while True:
            ears.say(process.line().encode())


@contextmanager
def threads() -> Iterator[Callable[..., None]]:
    """What starts a function in a thread; all are waited for."""
    started: list[threading.Thread] = []

    def start(function: Callable[..., None], *arguments: object) -> None:
        started.append(threading.Thread(target=function, args=arguments))
        started[-1].start()

    try:
        yield start
    finally:
        for thread in started:
            thread.join(WAIT_S)


def test_nothing_that_leaves_by_an_outlet_holds_a_password_or_token(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    ears, is_over = Ears(), threading.Event()
    broker, metrics, web, markers, *feeds = (free_port() for _ in range(6))
    feed, joined = (f"tcp://127.0.0.1:{port}" for port in feeds)
    (folder / "token").write_text(PAGE)
    (folder / "token").chmod(0o600)
    with ExitStack() as stack:
        start = stack.enter_context(threads())
        stack.callback(is_over.set)
        server = stack.enter_context(
            RtspServer(lambda number: picture(number % 32), credentials=Credentials("ann", CAMERA))
        )
        receivers = [stack.enter_context(Process("mqtt_broker", str(broker)))]
        receivers.append(stack.enter_context(Process("osc_receiver")))
        (folder / "settings.toml").write_text(
            f'[run]\nsources = ["door={server.url.replace("://", f"://ann:{CAMERA}@")}?token={CAMERA}"]\n'
            f'bundle = "{write_bundle(tmp_path / "bundle")}"\nrecord = "run.jsonl"\n'
            f'[mqtt]\nurl = "mqtt://bob:broker%27s%25hush@127.0.0.1:{broker}"\nrate = 0.0\n'
        )
        words = ["run", "--config", "settings.toml", "--bind", feed, "--no-display", "--sound", "auto", "--lsl"]
        words += ["--osc", f"127.0.0.1:{receivers[1].first}", "--metrics", f"127.0.0.1:{metrics}"]
        words += ["--web", f"127.0.0.1:{web}", "--web-token", "token", "--web-video", "plain"]
        words += ["--markers", f"tcp:{markers}", "--log-level", "debug", "--log-format", "json"]
        tell(ears, folder, *words, "--print-config")
        with program(ears, folder, *words), program(ears, folder, "proxy", feed, "--bind", joined):
            for address in (feed, joined):
                start(hear_feed, ears, address, is_over)
            receivers.append(stack.enter_context(Process("lsl_reader", "streamaffect door", "5")))
            for receiver in receivers:
                start(hear_process, ears, receiver)
            wait_until(lambda: b"health/door/" in ears.heard and b'"topic": "streamaffect/door/health"' in ears.text)
            with socket.create_connection(("127.0.0.1", markers)) as device:
                device.sendall(f"rtsp://ann:{OTHER}@cam/1\n".encode())
            ctl = ("--address", feed)
            assert "rtsp://***@" in tell(ears, folder, "ctl", "mark", f"rtsp://ann:{OTHER}@cam/1", *ctl)
            assert "rtsp://***@" in tell(ears, folder, "ctl", "add", f"x=rtsp://ann:{OTHER}@127.0.0.1:9/1", *ctl)
            tell(ears, folder, "ctl", "status", "--json", *ctl)
            server.kill()
            wait_until(lambda: b"source_lost" in ears.text)
            for port, path in ((metrics, "/metrics"), (metrics, "/readyz"), (web, "/"), (web, "/v1/latest")):
                ears.say(ask(port, path).body)
            for path in ("/v1/latest", "/v1/streams", "/v1/page"):
                answer = ask(web, path, authorization=f"Bearer {PAGE}")
                assert answer.status == 200
                ears.say(answer.body, str(answer.headers).encode())
            ears.say(ask(web, "/v1/latest", authorization=f"Bearer {PAGE}x").body)
    ears.say((folder / "run.jsonl").read_bytes(), *(path.name.encode() for path in tmp_path.rglob("*")))
    assert b"rtsp://***@127.0.0.1" in ears.text
    assert b"mqtt://***@127.0.0.1" in ears.text
    found = [part for part in ears.heard if any(secret.encode() in part for secret in SECRETS)]
    assert found == []
