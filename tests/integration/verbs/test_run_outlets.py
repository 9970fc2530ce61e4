"""A run with outlets, as a user starts it: all at once, some of them with nobody at the other end, and mistakes."""

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.cli import main
from streamaffect.messages import Health
from tests.support.bundles import write_bundle
from tests.support.outlets.live import wait_until
from tests.support.outlets.processes import Process, free_port

ROOT = Path(__file__).parents[3]
PASSWORD = "hush-hush"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", frames=8, past=4)


@contextmanager
def started(*arguments: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_stream.py"), "--no-display", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        return ""


def test_with_all_outlets_on_and_no_broker_the_others_get_all_and_health_says_who_does_not(bundle: Path) -> None:
    feed, metrics, broker = free_port(), free_port(), free_port()
    with Process("osc_receiver") as receiver:
        outlets = [
            *("--osc", f"127.0.0.1:{receiver.first}", "--mqtt", f"mqtt://lab:{PASSWORD}@127.0.0.1:{broker}"),
            *("--metrics", f"127.0.0.1:{metrics}", "--lsl"),
        ]
        run = ["--source", "demo", "--bundle", str(bundle), "--bind", f"tcp://127.0.0.1:{feed}"]
        with started(*run, *outlets) as process:
            wait_until(lambda: get(f"http://127.0.0.1:{metrics}/readyz") == "ok\n")
            seen = receiver.json_until(lambda line: any(at == "/affect/demo/0/valence" for at, *_ in line["messages"]))
            assert seen[0]["messages"][0] == ["/event/demo", "track_born", 0, ""]
            with Subscriber(f"tcp://127.0.0.1:{feed}") as subscriber:
                health = next(message for message in _messages(subscriber) if isinstance(message, Health))
                wait_until(lambda: "streamaffect_subscribers 1.0" in get(f"http://127.0.0.1:{metrics}/metrics"))
            assert health.outlets == {"mqtt": f"no broker listens at 127.0.0.1:{broker}"}
            process.terminate()
            _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err.count("no broker listens") == 1
    assert PASSWORD not in err


def _messages(subscriber: Subscriber) -> Iterator[object]:
    while True:
        yield subscriber.receive(60.0)


def test_a_file_read_offline_loses_nothing_on_its_way_to_a_receiver_that_is_there(bundle: Path) -> None:
    with Process("osc_receiver") as receiver:
        demo = ROOT / "streamaffect" / "assets" / "demo.mp4"
        run = ["--source", f"clip={demo}", "--bundle", str(bundle), "--bind", "tcp://127.0.0.1:0", "--max-seconds", "2"]
        with started(*run, "--osc", f"127.0.0.1:{receiver.first}") as process:
            lines = receiver.json_until(lambda line: line["messages"][0][1] == "source_ended")
            process.wait(60)
    statuses = [line for line in lines if line["messages"][0][0] == "/affect/clip/0/status"]
    assert 40 < len(statuses) <= 50
    assert {line["at_s"] for line in lines} == {None}


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


MISTAKES: list[tuple[Callable[[str], list[str]], int, str]] = [
    (lambda _: ["--osc", "9000"], 2, "osc.address '9000': expected HOST:PORT"),
    (lambda _: ["--mqtt", "home"], 2, "mqtt.url 'home': expected mqtt://"),
    (lambda _: ["--mqtt", f"mqtt://u:{PASSWORD}@home/topic"], 2, "topics begin with mqtt.prefix"),
    (lambda _: ["--mqtt", "mqtts://home", "--set", "mqtt.ca_file=nowhere.pem"], 2, "mqtt.ca_file nowhere.pem: no such"),
    (lambda taken: ["--metrics", taken], 1, "the address is in use"),
    (lambda _: ["--metrics", "0.0.0.0:9464"], 2, "metrics.bind 0.0.0.0:9464 can be reached from other machines"),
    (lambda _: ["--set", "lsl.slots=99"], 2, "lsl.slots = 99: expected `int` <= 16"),
]


@pytest.mark.parametrize(("words", "code", "complaint"), MISTAKES, ids=[complaint for _, _, complaint in MISTAKES])
def test_a_mistake_is_one_line_before_anything_starts(
    words: Callable[[str], list[str]],
    code: int,
    complaint: str,
    bundle: Path,
    taken: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = tmp_path / "run.jsonl"
    run = [
        "run",
        "--source",
        "demo",
        "--bundle",
        str(bundle),
        "--bind",
        "tcp://127.0.0.1:0",
        "--record",
        str(recording),
    ]
    assert main([*run, *words(taken)]) == code
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1
    assert PASSWORD not in err
    assert not recording.exists()
