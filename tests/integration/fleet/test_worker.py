"""The process of a group, without Ray: a real run with its feed, commands to it, and its end when nobody asks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import msgspec
import pytest
import zmq

from streamaffect.config import load_config
from streamaffect.feed.client import Subscriber
from streamaffect.feed.commands import Reply, Streams, encode_command
from streamaffect.feed.key_files import KeyPair
from streamaffect.feed.keys import ClientKeys
from streamaffect.fleet.reports import Order, Report, decode_report, encode
from streamaffect.fleet.worker import Worker
from streamaffect.messages import Estimate, Message, Meta

WAIT_S = 60.0


def order(folder: Path, source: str, **values: object) -> Order:
    config = load_config(flags={"run": {"sources": [source], "id": "f-1"}, "engine": {"precision": "fp32"}})
    settings = msgspec.to_builtins(config)
    sections = {name: settings[name] for name in settings if name not in ("feed", "control", "web")}
    return msgspec.convert(
        {"group": "g", "settings": sections, "socket": str(folder / "feed"), "silence_s": 120.0, **values}, Order
    )


@contextmanager
def working(order: Order, *, abandon: Callable[[], object] = lambda: None) -> Iterator[Worker]:
    worker = Worker(encode(order), abandon=abandon)
    try:
        yield worker
    finally:
        worker.stop()
        decode_report(worker.wait())


def awaited(worker: Worker, state: str) -> Report:
    deadline_s = time.monotonic() + WAIT_S
    while (report := decode_report(worker.report())).state != state:
        assert time.monotonic() < deadline_s, report
        time.sleep(0.05)
    return report


def first(subscriber: Subscriber, kind: type[Message]) -> Message:
    deadline_s = time.monotonic() + WAIT_S
    while not isinstance(message := subscriber.receive(1.0), kind):
        assert time.monotonic() < deadline_s
    return message


def test_it_runs_what_it_is_told_answers_commands_and_ends_in_order(tmp_path: Path) -> None:
    with working(order(tmp_path, "cam=synthetic:faces=1")) as worker:
        report = awaited(worker, "running")
        assert report.feed == f"ipc://{tmp_path / 'feed'}"
        with Subscriber(report.feed) as subscriber:
            meta = first(subscriber, Meta)
            assert isinstance(meta, Meta)
            assert (meta.stream, meta.run) == ("cam", "f-1")
            first(subscriber, Estimate)
        reply = msgspec.json.decode(worker.do(encode_command(Streams())), type=Reply)
        assert [one.stream for one in reply.streams] == ["cam"]
        worker.stop()
        last = decode_report(worker.wait())
    assert (last.state, last.code, last.error) == ("over", 0, "")
    refused = msgspec.json.decode(worker.do(encode_command(Streams())), type=Reply)
    assert (refused.ok, refused.error) == (False, "group g does not run at the moment")


def test_on_another_machine_its_feed_lets_in_the_supervisor_alone(tmp_path: Path) -> None:
    own = KeyPair(*zmq.curve_keypair())
    here = order(tmp_path, "cam=synthetic:faces=1", host="127.0.0.1", reader=own.public.decode())
    with working(here) as worker:
        report = awaited(worker, "running")
        assert report.feed.startswith("tcp://127.0.0.1:")
        with Subscriber(report.feed, keys=ClientKeys(own, report.key.encode())) as subscriber:
            first(subscriber, Estimate)
        with Subscriber(report.feed, keys=ClientKeys(KeyPair(*zmq.curve_keypair()), report.key.encode())) as stranger:
            deadline_s = time.monotonic() + WAIT_S
            while stranger.connection != "refused":
                assert stranger.receive(0.05) is None
                assert time.monotonic() < deadline_s


def test_opencv_has_one_thread_unless_somebody_wants_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cv2.getNumThreads()
    try:
        for given, threads in (("3", 3), (None, 1)):
            cv2.setNumThreads(3)
            monkeypatch.delenv("OPENCV_FOR_THREADS_NUM", raising=False)
            if given is not None:
                monkeypatch.setenv("OPENCV_FOR_THREADS_NUM", given)
            with working(order(tmp_path, "cam=synthetic")):
                assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)


def test_a_source_that_is_not_there_is_told_as_what_no_restart_cures(tmp_path: Path) -> None:
    with working(order(tmp_path, str(tmp_path / "none.mp4"))) as worker:
        last = decode_report(worker.wait())
    assert last.code == 2
    assert "none.mp4" in last.error


def test_a_process_that_nobody_asks_any_more_ends_itself(tmp_path: Path) -> None:
    abandoned = threading.Event()
    with working(order(tmp_path, "cam=synthetic", silence_s=1.0), abandon=abandoned.set) as worker:
        assert abandoned.wait(WAIT_S)
        assert decode_report(worker.wait()).state == "over"
