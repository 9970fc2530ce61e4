"""A real run with every outlet on, and what users and devices do wrong to it: one answer each; nobody else notices."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamaffect import Controller, Subscriber
from streamaffect.affect.baseline import Baseline, Moments
from streamaffect.affect.profile import write_profile
from streamaffect.cli import main
from streamaffect.feed.keys import WrittenKeys, write_keys
from streamaffect.messages import Event, Health
from streamaffect.recordings.reading import read_recording
from streamaffect.runtime.bundle import load_bundle
from tests.support.bundles import write_bundle
from tests.support.outlets.live import wait_until
from tests.support.outlets.processes import Process, free_port
from tests.support.web.pages import ask

pytest.importorskip("pylsl", exc_type=ImportError)

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0
A_SECOND = 1000  # markers
CONTROLLERS = ("a", "b")
EACH = 100


class Run:
    """An encrypted run of the demo that gives to every outlet, its recording and the ports of what it serves."""

    def __init__(self, folder: Path, keys: WrittenKeys, stack: ExitStack) -> None:
        self.keys = keys
        self.recording = folder / "run.jsonl"
        self.web, self.tcp, self.metrics, feed, broker = (free_port() for _ in range(5))
        self.feed = f"tcp://127.0.0.1:{feed}"
        self.stream = f"cam{feed}"
        stack.enter_context(Process("mqtt_broker", str(broker)))
        self.mqtt = stack.enter_context(Process("mqtt_listener", str(broker), f"streamaffect/{self.stream}/event"))
        self.osc = stack.enter_context(Process("osc_receiver"))
        words = ["--source", f"{self.stream}=demo", "--bundle", str(write_bundle(folder / "bundle")), "--no-display"]
        words += ["--bind", self.feed, "--control", f"tcp://127.0.0.1:{free_port()}", "--record", str(self.recording)]
        words += [
            "--set",
            f"feed.server_key={keys.server_key}",
            "--set",
            f"feed.allowed_clients={keys.allowed_clients}",
        ]
        words += ["--lsl", "--osc", f"127.0.0.1:{self.osc.first}", "--mqtt", f"mqtt://127.0.0.1:{broker}"]
        words += ["--metrics", f"127.0.0.1:{self.metrics}", "--web", f"127.0.0.1:{self.web}"]
        words += ["--web-token", str(folder / "token"), "--markers", f"tcp:{self.tcp}", "--markers", "lsl:never comes"]
        self.control = words[words.index("--control") + 1]
        self.process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, str(ROOT / "run_stream.py"), *words],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        )
        stack.callback(self.process.kill)

    def ctl(self, *words: str, keys: Path | None) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "streamaffect", "ctl", *words, "--address", self.control]
        command += [] if keys is None else ["--keys", str(keys)]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, cwd=ROOT, check=False)

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0, said
        return said


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        yield Run(tmp_path, write_keys(tmp_path / "keys"), stack)


def test_what_is_wrong_gets_one_line_and_a_thousand_markers_a_second_reach_everybody(run: Run, tmp_path: Path) -> None:
    others = write_keys(tmp_path / "others")
    with Subscriber(run.feed, keys=run.keys.client, capacity=100_000) as feed, ExitStack() as stack:
        assert feed.receive(WAIT_S) is not None
        lsl = stack.enter_context(Process("lsl_reader", f"streamaffect {run.stream} markers", "1"))
        for keys in (None, others.client):
            kept_out = run.ctl("mark", "let me in", keys=keys)
            assert (kept_out.returncode, kept_out.stdout, kept_out.stderr.count("\n")) == (2, "", 1), kept_out.stderr
            assert "refuses this controller" in kept_out.stderr
        no_label = run.ctl("mark", "a\x07b", keys=run.keys.client)
        assert (no_label.returncode, no_label.stderr.count("\n")) == (2, 1), no_label.stderr
        wait_until(lambda: ask(run.web, "/v1/latest", authorization="Bearer wrong").status == 401)
        assert "token" in ask(run.web, "/v1/latest").json["error"]
        flood(run)
        wanted = A_SECOND + EACH * len(CONTROLLERS)
        labels: list[str] = []
        health: Health | None = None
        while len(labels) < wanted or health is None:
            message = feed.receive(WAIT_S)
            assert message is not None, f"{len(labels)} of {wanted} markers came"
            if isinstance(message, Event) and message.event == "marker":
                labels.append(str(message.label))
            elif len(labels) == wanted and isinstance(message, Health):
                health = message
        assert (feed.lost, feed.dropped, health.dropped) == (0, 0, {})
        assert in_their_order(labels)
        run.osc.json_until(lambda line: any("marker" in message for message in line["messages"]))
        metrics = {one.name: one for one in text_string_to_metric_families(ask(run.metrics, "/metrics").body.decode())}
        assert sum(sample.value for sample in metrics["streamaffect_dropped"].samples) == 0
        assert {sample.labels["sink"]: sample.value for sample in metrics["streamaffect_sink_up"].samples}["mqtt"] == 1
        assert in_their_order(read_markers(lsl, lambda line: line.get("values", [None])[0], wanted))
        assert in_their_order(read_markers(run.mqtt, lambda line: label_in(line["payload"]), wanted))
    said = run.end()
    assert "Traceback" not in said
    recorded = [str(one.label) for one in read_recording(run.recording) if isinstance(one, Event) and one.label]
    assert in_their_order(recorded)
    assert len(recorded) == wanted


def flood(run: Run) -> None:
    """A thousand markers within a second over TCP, while two controllers set theirs."""

    def mark(name: str) -> None:
        with Controller(run.control, keys=run.keys.client, answer_s=WAIT_S) as controller:
            for number in range(EACH):
                controller.mark(f"{name}{number}")

    threads = [threading.Thread(target=mark, args=(name,)) for name in CONTROLLERS]
    for thread in threads:
        thread.start()
    with socket.create_connection(("127.0.0.1", run.tcp)) as device:
        begun_s = time.monotonic()
        for number in range(A_SECOND):
            device.sendall(b"t%d\n" % number)
            time.sleep(max(0.0, begun_s + number / A_SECOND - time.monotonic()))
        for thread in threads:
            thread.join(WAIT_S)


def in_their_order(labels: list[str]) -> bool:
    """All markers of each origin, in the order in which it has set them."""
    counts = {"t": A_SECOND, **dict.fromkeys(CONTROLLERS, EACH)}
    return all(
        [label for label in labels if label[0] == name] == [f"{name}{i}" for i in range(count)]
        for name, count in counts.items()
    )


def label_in(payload: str) -> str | None:
    """The label of a marker in a payload of JSON; None in any other."""
    label = json.loads(payload).get("label") if payload.startswith("{") else None
    return label if isinstance(label, str) and label else None


def read_markers(process: Process, label_of: Callable[[dict[str, Any]], str | None], count: int) -> list[str]:
    """So many labels among the lines of a reader."""
    labels: list[str] = []
    while len(labels) < count:
        label = label_of(json.loads(process.line()))
        if label is not None and label[0] in ("t", *CONTROLLERS) and label[1:].isdigit():
            labels.append(label)
    return labels


def test_a_profile_of_another_bundle_ends_a_run_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, one, other = (
        tmp_path / "anna.json",
        write_bundle(tmp_path / "one"),
        write_bundle(tmp_path / "other", frames=8),
    )
    still = Moments(mean=0.1, spread=0.02)
    write_profile(profile, Baseline(valence=still, arousal=still, frames=120, seconds=5.0), load_bundle(one))
    before = profile.read_bytes()
    words = [
        "run",
        "--source",
        "demo",
        "--bundle",
        str(other),
        "--profile",
        str(profile),
        "--bind",
        "tcp://127.0.0.1:0",
    ]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "take a new baseline in another file" in said
    assert said.count("\n") == 1
    assert profile.read_bytes() == before
