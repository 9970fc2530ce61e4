import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect.errors import WireError
from streamaffect.verbs.listen import listen
from tests.support.feeds import WAIT_S, publishing
from tests.support.recordings import estimate_at, health_of, meta_of

ROOT = Path(__file__).parents[3]


@contextmanager
def start(address: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`listen` in a process of its own, as users run it."""
    command = [sys.executable, "-m", "streamaffect", "listen", address, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_json_prints_one_line_per_message_at_once_and_ctrl_c_is_a_clean_end() -> None:
    with publishing() as feed, start(feed.address, "--json") as process:
        feed.put(meta_of("clip", live=False), health_of("clip"), estimate_at(0.5, valence=0.25))
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert {line["kind"] for line in lines} == {"meta", "health", "affect"}
        assert [line["valence"] for line in lines if line["kind"] == "affect"] == [0.25]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_closed_pipe_is_a_quiet_end() -> None:
    with publishing() as feed, start(feed.address, "--json") as process:
        feed.put(estimate_at(0.0, seq=0))
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        for seq in range(1, 3):
            feed.put(estimate_at(0.0, seq=seq))
        err = process.stderr.read()
        assert process.wait(WAIT_S) == 0
    assert err == ""


def test_a_feed_that_is_not_there_is_waited_for_with_a_notice(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/feed"
    with start(address, "--json") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "no feed there yet; waiting" in process.stderr.readline()
        with publishing(address) as feed:
            feed.put(estimate_at(0.0))
            assert json.loads(process.stdout.readline())["kind"] == "affect"
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


def test_without_a_terminal_it_prints_plain_lines() -> None:
    with publishing() as feed, start(feed.address) as process:
        feed.put(meta_of("clip", live=True), health_of("clip"), estimate_at(0.0))
        assert process.stderr is not None
        notice, line = process.stderr.readline(), process.stderr.readline()
        assert "emotion-estimation system is running" in notice
        assert "clip" in line
        assert "\x1b" not in notice + line
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


def test_it_ends_by_itself_after_max_seconds(capfd: pytest.CaptureFixture[str]) -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0))
        assert listen(feed.address, as_json=True, max_seconds=0.5) == 0
    assert len(capfd.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("address", ["127.0.0.1:5556", "udp://127.0.0.1:1", "tcp://127.0.0.1:99999"])
def test_a_malformed_address_is_a_wire_error(address: str) -> None:
    with pytest.raises(WireError, match="address"):
        listen(address, as_json=True)


def test_only_the_stream_that_was_asked_for_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0, stream="left"), estimate_at(0.0, stream="right"))
        listen(feed.address, stream="right", as_json=True, max_seconds=0.5)
    assert [json.loads(line)["stream"] for line in capfd.readouterr().out.splitlines()] == ["right"]
