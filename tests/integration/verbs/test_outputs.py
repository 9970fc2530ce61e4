"""Outputs that nobody reads, that are closed, full, or know few letters: a program as users start it ends in order."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from streamaffect.messages import Estimate
from streamaffect.recordings.reading import read_recording
from tests.support.bundles import write_bundle
from tests.support.feeds import GENEROUS_S, WAIT_S, publishing
from tests.support.recordings import estimate_at, record

ROOT = Path(__file__).parents[3]
LIVE = "synthetic:faces=1,fps=25,size=320x240"
PIPE_BYTES = 4096

Output = int | IO[bytes] | None


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", frames=8, past=4)


@contextmanager
def started(*words: str, stdout: Output = None, stderr: Output = None) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "streamaffect", *words]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def shell(command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `streamaffect` by a shell, with its redirections."""
    program = f"{sys.executable} -m streamaffect {command}"
    environment = os.environ | variables
    return subprocess.run(
        ["bash", "-c", program], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=60, check=False
    )


def estimates_in(recording: Path) -> int:
    if not recording.exists():
        return 0
    return sum(isinstance(message, Estimate) for message in read_recording(recording))


def until_estimates(recording: Path, more: int = 5) -> None:
    """Wait until so many further estimates are recorded: the pipeline works."""
    wanted = estimates_in(recording) + more
    deadline_s = time.monotonic() + 40
    while estimates_in(recording) < wanted:
        assert time.monotonic() < deadline_s, "the stream stands still"
        time.sleep(0.05)


def end_by(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """One signal, after which it must end by itself; what `benchmarks/soak.py` measures takes half a second."""
    process.send_signal(number)
    process.wait(GENEROUS_S)


def small_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


@pytest.mark.parametrize("which", ["stdout", "stderr", "both"])
def test_a_full_pipe_holds_up_neither_the_stream_nor_its_end(bundle: Path, tmp_path: Path, which: str) -> None:
    reading, writing = small_pipe()
    os.set_blocking(writing, False)
    os.write(writing, b"x" * PIPE_BYTES)  # full before anything is said
    os.set_blocking(writing, True)
    recording = tmp_path / "run.jsonl"
    words = ["run", "--source", LIVE, "--bundle", str(bundle), "--record", str(recording), "--display"]
    outputs: dict[str, Output] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    outputs |= dict.fromkeys(("stdout", "stderr") if which == "both" else (which,), writing)
    with started(*words, "--bind", "tcp://127.0.0.1:0", "--log-level", "debug", **outputs) as process:
        until_estimates(recording)
        end_by(process, signal.SIGTERM)
        assert process.returncode == 0
    os.close(reading)
    os.close(writing)


def test_a_stopped_terminal_holds_up_neither_the_stream_nor_its_end(bundle: Path, tmp_path: Path) -> None:
    terminal, child_end = pty.openpty()
    recording = tmp_path / "run.jsonl"
    words = ["run", "--source", LIVE, "--bundle", str(bundle), "--record", str(recording), "--log-level", "debug"]
    with started(*words, "--bind", "tcp://127.0.0.1:0", stdout=child_end, stderr=child_end) as process:
        until_estimates(recording)
        termios.tcflow(child_end, termios.TCOOFF)  # Ctrl-S
        time.sleep(1.0)
        until_estimates(recording, more=40)
        end_by(process, signal.SIGTERM)
        assert process.returncode == 0
    os.close(child_end)
    os.close(terminal)


def test_a_reader_that_goes_ends_nothing(bundle: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    words = ["run", "--source", LIVE, "--bundle", str(bundle), "--record", str(recording), "--log-level", "debug"]
    with started(*words, "--bind", "tcp://127.0.0.1:0", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until_estimates(recording)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()
        until_estimates(recording)
        end_by(process, signal.SIGTERM)
        assert process.returncode == 0


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_outputs_that_are_closed_from_the_start_get_nothing_of_ours(bundle: Path, tmp_path: Path, closing: str) -> None:
    recording = tmp_path / "run.jsonl"
    words = f"run --source {LIVE},seconds=2 --bundle {bundle} --record {recording} --bind tcp://127.0.0.1:0 --display"
    done = shell(f"{words} --max-seconds 2 {closing}")
    assert done.returncode == 0, done.stderr
    found = read_recording(recording)
    assert len(list(found)) > 5
    assert found.complaint is None


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "run --print-config", "listen ADDRESS --json --max-seconds 3", "export RECORDING OUT.csv"],
)
@pytest.mark.parametrize("output", ["/dev/full", "closed"])
def test_an_output_that_takes_nothing_is_a_clean_end(tmp_path: Path, words: str, output: str) -> None:
    recording = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    with publishing(said=[estimate_at(0.0)]) as feed:
        words = words.replace("ADDRESS", feed.address).replace("RECORDING", str(recording))
        words = words.replace("OUT", str(tmp_path / "out"))
        done = shell(f"{words} {'>&-' if output == 'closed' else '>/dev/full'}")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("\n") <= 1
    if output == "closed" or words in ("--help", "--version"):
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert "standard output cannot be written (No space left on device)" in done.stderr


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["ascii", "C"],
)
@pytest.mark.parametrize("name", ["übung.csv", "日本.csv"])
def test_names_that_the_output_has_no_letters_for_are_written_and_printed(
    tmp_path: Path, variables: dict[str, str], name: str
) -> None:
    recording = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    done = shell(f"export {recording} {tmp_path / name}", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 estimates" in done.stdout
    assert (tmp_path / name).exists()
    done = shell(f"export {recording} {tmp_path / name}", **variables)
    assert done.returncode == 2
    assert "already exists" in done.stderr


def test_doctor_speaks_ascii() -> None:
    done = shell("doctor", PYTHONIOENCODING="ascii")
    assert "Traceback" not in done.stderr
    assert "face detector" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.15, 0.3, 0.6, 1.2])
def test_a_signal_while_it_starts_is_no_traceback(bundle: Path, number: signal.Signals, after_s: float) -> None:
    words = ["run", "--source", LIVE, "--bundle", str(bundle), "--bind", "tcp://127.0.0.1:0"]
    with started(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        time.sleep(after_s)
        end_by(process, number)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_file_that_is_gone_while_it_is_recorded_is_exit_1(bundle: Path, tmp_path: Path) -> None:
    recording = tmp_path / "sessions" / "run.jsonl"
    recording.parent.mkdir()
    words = ["run", "--source", LIVE, "--bundle", str(bundle), "--record", str(recording), "--display"]
    with started(*words, "--bind", "tcp://127.0.0.1:0", stderr=subprocess.PIPE) as process:
        until_estimates(recording)
        recording.unlink()
        recording.parent.rmdir()
        time.sleep(1.5)
        end_by(process, signal.SIGTERM)
        assert process.returncode == 1
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert said.count("was removed or replaced while it was recorded") == 1
    assert "not completely recorded to" in said


@pytest.mark.parametrize("descriptors", [8, 12])
@pytest.mark.parametrize("verb", ["listen tcp://127.0.0.1:9 --json --max-seconds 1", "run --source demo", "doctor"])
def test_too_few_descriptors_are_one_line(descriptors: int, verb: str) -> None:
    program = f"ulimit -n {descriptors}; exec {sys.executable} -m streamaffect {verb}"
    done = subprocess.run(["bash", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"this process may open {descriptors} files at once" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("record_to", ["", " ", "-", "sessions/", ".", "http://host/a.jsonl"])
def test_a_recording_that_names_no_file_is_refused_at_once(record_to: str) -> None:
    done = shell(f"run --source demo --record '{record_to}'")
    assert done.returncode == 2
    assert "a recording is a file, e.g. session.jsonl" in done.stderr


def test_an_export_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.jsonl", (estimate_at(0.04 * seq, seq=seq) for seq in range(60_000)))
    with started("export", str(recording), str(tmp_path / "out.csv"), stderr=subprocess.PIPE) as process:
        deadline_s = time.monotonic() + WAIT_S
        while not list(tmp_path.glob(".out.csv.*.part")):
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        end_by(process, signal.SIGTERM)
        assert process.returncode == 1
        assert process.stderr is not None
        assert b"out.csv: interrupted; nothing was written" in process.stderr.read()
    assert list(tmp_path.iterdir()) == [recording]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_listening_ends_in_order_at_a_signal(number: signal.Signals) -> None:
    with (
        publishing(said=[estimate_at(0.0)]) as feed,
        started("listen", feed.address, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline()
        end_by(process, number)
        assert process.returncode == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
