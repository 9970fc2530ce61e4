"""A signal ends a run within two seconds, in order where that is possible, whatever it is doing and whatever hangs."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.messages import Estimate, Event, Health, Message
from streamaffect.recordings.reading import read_recording
from tests.support.bundles import write_bundle
from tests.support.feeds import GENEROUS_S

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"
WAIT_S = 30.0

HANGS = """
import ctypes, sys
from streamaffect.cli import main

def hang(*_):
    # A lock that is taken twice: no signal interrupts that, and no handler of Python's runs meanwhile in this thread.
    lock = ctypes.create_string_buffer(128)
    ctypes.CDLL(None).pthread_mutex_lock(lock)
    ctypes.CDLL(None).pthread_mutex_lock(lock)

"""
BY_FORCE = "streamaffect: ended by force, since a native call held the whole process\n"
RUN = "\nsys.exit(main(sys.argv[1:]))\n"
ENGINE_HANGS = (
    HANGS
    + """
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
encode, left = OnnxRuntimeEngine.encode_frames, [10]

def hanging(engine, crops):
    left[0] -= 1
    return hang() if left[0] < 0 else encode(engine, crops)

OnnxRuntimeEngine.encode_frames = hanging
"""
    + RUN
)
DETECTOR_HANGS = (
    HANGS
    + """
from streamaffect.faces.detectors.detector import MediaPipeDetector
detect, left = MediaPipeDetector.detect, [20]

def hanging(detector, image, time_s):
    left[0] -= 1
    return hang() if left[0] < 0 else detect(detector, image, time_s)

MediaPipeDetector.detect = hanging
"""
    + RUN
)
# With the lock of the interpreter held: no thread of Python's runs any more.
HOLDS_ALL = ENGINE_HANGS.replace("ctypes.CDLL(None).pthread", "ctypes.PyDLL(None).pthread")
HOLDS_ALL_AT_START = HANGS.replace("ctypes.CDLL(None).pthread", "ctypes.PyDLL(None).pthread")
HOLDS_ALL_AT_START += """
import streamaffect.verbs.origin
streamaffect.verbs.origin.load_bundle = hang
print("about to hang", flush=True)
"""
HOLDS_ALL_AT_START += RUN
START_HANGS = (
    HANGS
    + """
import streamaffect.verbs.origin
streamaffect.verbs.origin.load_bundle = hang
print("about to hang", flush=True)
"""
    + RUN
)
WAITS_FOR_AN_HOUR = """
import streamaffect.verbs.signals.ending as ending
ending.orderly_end.__wrapped__.__kwdefaults__["within_s"] = 3600.0
"""

LOSES_INTERRUPTIONS = """
import sys, time
import streamaffect.verbs.origin
from streamaffect.cli import main

def wait():
    print("about to hang", flush=True)
    while True:
        time.sleep(0.01)

class CallsBack:
    def __del__(self):
        wait()

def in_a_callback(*_):
    CallsBack()  # Python says of an exception in there, and goes on
    wait()

def without_a_word(*_):
    try:
        wait()
    except BaseException:
        wait()

"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/feed"


def start(program: Sequence[str], bundle: Path, *arguments: str, bind: str = "tcp://127.0.0.1:0") -> "Process":
    words = [sys.executable, *program, "run", "--bundle", str(bundle), "--bind", bind, "--no-display", *arguments]
    return subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


Process = subprocess.Popen[str]
WHOLE = [str(ROOT / "run_stream.py")]


def ended_by(process: Process, number: int) -> tuple[int, str]:
    """The exit code and what was said, after one signal."""
    process.send_signal(number)
    _, err = process.communicate(timeout=GENEROUS_S)
    return process.returncode, err


def until(feed: Subscriber, is_wanted: Callable[[Message], bool]) -> Message:
    while (message := feed.receive(WAIT_S)) is not None:
        if is_wanted(message):
            return message
    raise AssertionError(f"no such message within {WAIT_S:.0f} s")


@pytest.mark.parametrize("after_ms", [30, 60, 100, 150, 250, 400, 700])
def test_ctrl_c_at_any_time_of_the_start_ends_without_a_trace(bundle: Path, after_ms: int) -> None:
    process = start(WHOLE, bundle, "--source", "demo")
    time.sleep(after_ms / 1000)
    code, err = ended_by(process, signal.SIGINT)
    if "init_import_site" in err:
        pytest.skip("the interpreter itself was not up yet")
    assert (code, "Traceback" in err) in [(0, False), (-signal.SIGINT, False)], err


@pytest.mark.parametrize("how", ["in_a_callback", "without_a_word"])
def test_an_interruption_of_the_start_that_is_lost_comes_again(bundle: Path, how: str) -> None:
    program = f"{LOSES_INTERRUPTIONS}streamaffect.verbs.origin.load_bundle = {how}\n{RUN}"
    process = start(["-c", program], bundle, "--source", "demo")
    assert process.stdout is not None and process.stdout.readline() == "about to hang\n"
    code, err = ended_by(process, signal.SIGINT)
    assert (code in (0, -signal.SIGINT), err) == (True, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_a_live_run_in_order(bundle: Path, tmp_path: Path, address: str, number: int) -> None:
    recording = tmp_path / "run.jsonl"
    with Subscriber(address) as feed:
        process = start(WHOLE, bundle, "--source", "demo", "--record", str(recording), bind=address)
        until(feed, lambda one: isinstance(one, Estimate))
        code, err = ended_by(process, number)
    assert (code, err) == (0, "")
    last = list(read_recording(recording))[-2:]
    assert any(isinstance(message, Event) and message.event == "source_ended" for message in last)


def test_who_ignores_hangups_is_not_ended_by_one(bundle: Path, address: str) -> None:
    with Subscriber(address) as feed:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        try:
            process = start(WHOLE, bundle, "--source", "demo", bind=address)
        finally:
            signal.signal(signal.SIGHUP, before)
        until(feed, lambda one: isinstance(one, Estimate))
        process.send_signal(signal.SIGHUP)
        first = until(feed, lambda one: isinstance(one, Health))
        until(feed, lambda one: isinstance(one, Health) and one.t_ns > first.t_ns)  # type: ignore[union-attr]
        assert ended_by(process, signal.SIGTERM)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("program", [ENGINE_HANGS, DETECTOR_HANGS], ids=["engine", "detector"])
def test_a_signal_ends_a_run_that_hangs(bundle: Path, address: str, program: str, number: int) -> None:
    with Subscriber(address) as feed:
        arguments = ["--source", "demo", "--engine", "onnxruntime"]
        process = start(["-c", program], bundle, *arguments, bind=address)
        report = until(feed, lambda one: isinstance(one, Health) and one.state == "stalled")
        code, err = ended_by(process, number)
    assert isinstance(report, Health) and report.fault
    assert code == 0, err
    assert "Traceback" not in err


@pytest.mark.parametrize("source", ["demo", str(DEMO)], ids=["live", "offline"])
def test_what_hangs_is_replaced_and_the_run_goes_on(bundle: Path, address: str, source: str) -> None:
    with Subscriber(address) as feed:
        arguments = ["--source", f"s={source}", "--engine", "onnxruntime", "--set", "run.patience_s=1"]
        process = start(["-c", ENGINE_HANGS.replace("left[0] < 0", "left[0] == 0")], bundle, *arguments, bind=address)
        lost = until(feed, lambda one: isinstance(one, Event) and one.event == "engine_lost")
        back = until(feed, lambda one: isinstance(one, Event) and one.event == "engine_back")
        until(feed, lambda one: isinstance(one, Estimate) and one.status == "ok")
        process.terminate()
        _, err = process.communicate(timeout=GENEROUS_S)
    assert isinstance(lost, Event) and lost.detail.startswith("no answer for")
    assert isinstance(back, Event) and back.detail == "onnxruntime CPU fp32"
    assert process.returncode == 0, err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_start_that_hangs_in_native_code(bundle: Path, number: int) -> None:
    process = start(["-c", START_HANGS], bundle, "--source", "demo")
    assert process.stdout is not None
    assert process.stdout.readline() == "about to hang\n"
    time.sleep(1.0)
    code, err = ended_by(process, number)
    assert (code, err) == (1, "streamaffect: ended without waiting for what hangs\n")


def test_a_signal_ends_a_start_that_holds_the_interpreter(bundle: Path) -> None:
    process = start(["-c", HOLDS_ALL_AT_START], bundle, "--source", "demo")
    assert process.stdout is not None
    assert process.stdout.readline() == "about to hang\n"
    time.sleep(1.0)
    code, err = ended_by(process, signal.SIGTERM)
    assert (code, err) == (-signal.SIGKILL, BY_FORCE)


def test_a_signal_ends_a_run_that_holds_the_interpreter(bundle: Path, address: str) -> None:
    with Subscriber(address) as feed:
        process = start(["-c", HOLDS_ALL], bundle, "--source", "demo", "--engine", "onnxruntime", bind=address)
        until(feed, lambda one: isinstance(one, Estimate))
        while feed.receive(2.0) is not None:
            pass  # until nothing comes any more
        code, err = ended_by(process, signal.SIGTERM)
    assert (code, err) == (-signal.SIGKILL, BY_FORCE)


def test_the_process_of_last_resort_ends_with_a_run_that_is_killed(bundle: Path, address: str) -> None:
    with Subscriber(address) as feed:
        process = start(WHOLE, bundle, "--source", "demo", bind=address)
        until(feed, lambda one: isinstance(one, Estimate))
        process.kill()
        _, err = process.communicate(timeout=WAIT_S)  # comes back once nobody has its outputs open any more
    assert err == ""


@pytest.mark.parametrize("verb", ["doctor", "bench"])
def test_a_signal_ends_an_examination_in_order(verb: str) -> None:
    process = subprocess.Popen(
        [sys.executable, *WHOLE, verb], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    code, err = ended_by(process, signal.SIGTERM)
    assert (code, "Traceback" in err) in [(0, False), (-signal.SIGTERM, False)], err


def test_a_second_signal_ends_what_the_first_one_would_wait_for(bundle: Path) -> None:
    process = start(["-c", WAITS_FOR_AN_HOUR + START_HANGS], bundle, "--source", "demo")
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(1.0)
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3.0)
    assert ended_by(process, signal.SIGTERM)[0] == 1


def test_no_thread_is_waited_for_when_a_run_is_over_that_left_one_behind(bundle: Path) -> None:
    arguments = ["--source", str(DEMO), "--engine", "onnxruntime", "--set", "run.patience_s=1"]
    process = start(["-c", DETECTOR_HANGS.replace("left[0] < 0", "left[0] == 0")], bundle, *arguments)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    assert "the face detector works again" in err
    assert "Traceback" not in err
