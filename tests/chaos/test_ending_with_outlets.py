"""A signal ends a run within two seconds with every outlet on, whoever reads them, badly or not at all."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.messages import Event
from streamaffect.recordings.reading import read_recording
from tests.support.bundles import write_bundle
from tests.support.feeds import GENEROUS_S
from tests.support.outlets.processes import Process, free_port
from tests.support.web.pages import Caller, ask

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0

# Anything native that takes long to go at the interpreter's end.
SLOW_TO_GO = """
import time

class SlowToGo:
    def __del__(self):
        time.sleep(20)

kept = SlowToGo()
"""


@contextmanager
def run_of(bundle: Path, *words: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(ROOT / "run_stream.py"), "--source", "demo", "--bundle", str(bundle), "--no-display"]
    with subprocess.Popen(
        [*command, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended_by(process: "subprocess.Popen[str]", number: int) -> str:
    process.send_signal(number)
    _, said = process.communicate(timeout=GENEROUS_S)
    assert process.returncode == 0, said
    return said


def wait_for_a_face(port: int) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        try:
            if ask(port, "/v1/latest").json["estimates"]:
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail("no face came")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_readers_that_hang_in_every_outlet_hold_up_no_end(tmp_path: Path, number: int) -> None:
    web, metrics, broker, recording = free_port(), free_port(), free_port(), tmp_path / "run.jsonl"
    words = ["--bind", "tcp://127.0.0.1:0", "--web", f"127.0.0.1:{web}", "--metrics", f"127.0.0.1:{metrics}", "--lsl"]
    words += ["--mqtt", f"mqtt://127.0.0.1:{broker}", "--osc", f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"]
    words += ["--markers", "lsl:that never comes", "--markers", f"tcp:{free_port()}", "--record", str(recording)]
    with (
        Process("mqtt_broker", str(broker)) as mqtt,
        run_of(write_bundle(tmp_path / "bundle"), *words) as process,
        ExitStack() as clients,
    ):
        wait_for_a_face(web)
        caller = clients.enter_context(Caller(web))
        caller.next("update")
        caller.send({"command": "baseline start", "seconds": 5})
        clients.enter_context(urllib.request.urlopen(f"http://127.0.0.1:{web}/v1/events"))  # and reads nothing
        for port, half in ((web, b"GET /v1/latest HT"), (web, b""), (metrics, b"GET /metrics HT"), (metrics, b"")):
            clients.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(half)
        mqtt.stop()
        said = ended_by(process, number)
    assert "Traceback" not in said
    events = [message for message in read_recording(recording) if isinstance(message, Event)]
    assert events[-1].event == "source_ended"


def test_what_is_slow_to_go_at_the_end_of_the_interpreter_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_TO_GO)
    address = f"ipc://{tmp_path}/feed"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with (
        Subscriber(address, timeout_s=WAIT_S) as feed,
        run_of(write_bundle(tmp_path / "bundle"), "--bind", address, PYTHONPATH=path) as process,
    ):
        assert feed.receive(WAIT_S) is not None
        ended_by(process, signal.SIGTERM)
