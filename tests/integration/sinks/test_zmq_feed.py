import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zmq

from streamaffect.errors import FeedTimeoutError, WireError
from streamaffect.feed.client import Subscriber
from streamaffect.messages import Estimate, Event, Health, Message, Meta
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from tests.support.feeds import ANY_PORT, WAIT_S, publishing, received, seqs
from tests.support.recordings import START_NS, estimate_at, health_of, live_estimate_at, meta_of

META = meta_of("clip", live=False)


def test_a_late_joiner_gets_meta_health_and_the_last_value_of_each_living_track() -> None:
    said: list[Message] = [
        META,
        estimate_at(0.0, seq=0, track=1),
        estimate_at(0.0, seq=1, track=2),
        estimate_at(0.1, seq=2, track=1),
        estimate_at(0.1, seq=3, track=7),
        health_of("clip"),
        Event(stream="clip", t_ns=0, event="track_lost", track=7),
    ]
    with publishing(said=said) as feed, Subscriber(feed.address) as subscriber:
        messages = received(subscriber, 4)
        assert {type(message) for message in messages} == {Meta, Health, Estimate}
        assert seqs(messages) == [1, 2]
        assert subscriber.lost == 0
        assert subscriber.meta() == META
        feed.put(estimate_at(0.2, seq=4, track=1))
        assert seqs(received(subscriber, 1)) == [4]
        assert subscriber.lost == 0


def test_a_late_joiner_costs_the_others_no_duplicate() -> None:
    with publishing() as feed:
        feed.put(META, estimate_at(0.0, seq=0))
        with Subscriber(feed.address) as first:
            received(first, 2)
            with Subscriber(feed.address) as second:
                assert seqs(received(second, 2)) == [0]
                feed.put(estimate_at(0.1, seq=1))
                assert seqs(received(second, 1)) == [1]
            assert seqs(received(first, 1)) == [1]
            assert first.lost == 0


def test_only_the_stream_that_was_asked_for_comes() -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0, stream="clip-2"), estimate_at(0.0, stream="clip"))
        with Subscriber(feed.address, stream="clip") as subscriber:
            received(subscriber, 1)
            feed.put(estimate_at(0.1, stream="clip-2", seq=1), estimate_at(0.1, stream="clip", seq=1))
            (message,) = received(subscriber, 1)
            assert message.stream == "clip"


def test_a_subscriber_that_does_not_read_costs_the_others_nothing_and_is_noticed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher = ZmqPublisher(FeedSettings(bind=ANY_PORT, high_water_mark=100))
    with zmq.Context() as context, context.socket(zmq.SUB) as stuck, Subscriber(publisher.address) as subscriber:
        stuck.setsockopt(zmq.RCVHWM, 1)
        stuck.setsockopt(zmq.LINGER, 0)
        stuck.subscribe(b"")
        stuck.connect(publisher.address)
        publisher.send(estimate_at(0.0, seq=0))
        while subscriber.latest() is None or not stuck.poll(0):
            publisher.idle()
        received(subscriber, 1)
        for seq in range(1, 600):
            publisher.send(estimate_at(0.0, seq=seq, model="m" * 50_000))
            assert seqs(received(subscriber, 1)) == [seq]
        assert subscriber.lost == 0
    with caplog.at_level(logging.INFO):
        publisher.close()
    assert "the queue of a slow subscriber was full" in caplog.text


def test_estimates_that_never_come_are_counted_as_lost() -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0, seq=0))
        with Subscriber(feed.address) as subscriber:
            received(subscriber, 1)
            feed.put(*(estimate_at(0.0, seq=seq) for seq in (1, 2, 6)))
            assert seqs(received(subscriber, 3)) == [1, 2, 6]
            assert subscriber.lost == 3


def test_a_slow_loop_loses_the_oldest_messages_and_they_are_counted() -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0, seq=0))
        with Subscriber(feed.address, capacity=2) as subscriber:
            received(subscriber, 1)
            feed.put(*(estimate_at(0.0, seq=seq) for seq in range(1, 11)))
            _until(subscriber, seq=10)
            assert seqs(received(subscriber, 2)) == [9, 10]
            assert subscriber.dropped == 8
            assert subscriber.lost == 0


def _until(subscriber: Subscriber, seq: int) -> None:
    """Wait for an estimate to arrive without taking it."""
    deadline_s = time.monotonic() + WAIT_S
    while (latest := subscriber.latest()) is None or latest.seq < seq:
        assert time.monotonic() < deadline_s, f"estimate {seq} never came"
        threading.Event().wait(0.001)


def test_latest_is_the_newest_of_all_or_of_one_track() -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0, seq=0, track=1), estimate_at(0.0, seq=1, track=2), estimate_at(0.1, seq=2, track=1))
        with Subscriber(feed.address) as subscriber:
            assert subscriber.latest(track=99) is None
            _until(subscriber, seq=2)
            of_two = subscriber.latest(track=2)
            assert of_two is not None
            assert of_two.seq == 1
            assert [estimate.seq for estimate in subscriber.latest_of_each()] == [2, 1]


def test_live_estimates_that_are_too_old_are_skipped_and_counted_while_those_of_files_never_age() -> None:
    old = live_estimate_at(0.0, seq=0, track=1)
    fresh = msgspec.structs.replace(old, seq=1, track=2, t_capture_ns=time.time_ns())
    of_file = estimate_at(0.0, seq=2, track=3, stream="webcam")
    with publishing() as feed:
        feed.put(old, fresh, of_file)
        with Subscriber(feed.address, max_age_s=600) as subscriber:
            assert seqs(received(subscriber, 2)) == [1, 2]
            assert subscriber.stale == 1
            assert subscriber.latest(track=1) is None
            assert subscriber.latest(track=2) is not None


def test_a_live_estimate_gets_its_time_of_publishing_and_one_of_a_file_keeps_it() -> None:
    of_file, live = estimate_at(1.0, track=1), live_estimate_at(0.0, track=2, seq=1, t_publish_ns=0)
    with publishing() as feed:
        feed.put(of_file, live)
        with Subscriber(feed.address) as subscriber:
            messages = received(subscriber, 2)
    first, second = messages
    assert first == of_file
    assert isinstance(second, Estimate)
    assert second.t_publish_ns > START_NS + 20_000_000
    assert second.latency_ms["total"] == pytest.approx((second.t_publish_ns - second.t_capture_ns) / 1e6, abs=1e-3)
    assert second.latency_ms["publish"] == pytest.approx(second.latency_ms["total"] - 20.0, abs=1e-3)
    assert second.latency_ms["faces"] == 3.4


def test_the_times_of_a_replay_are_kept() -> None:
    live = live_estimate_at(0.0)
    publisher = ZmqPublisher(FeedSettings(bind=ANY_PORT))
    publisher.send(live)
    with Subscriber(publisher.address) as subscriber:
        while subscriber.latest() is None:
            publisher.idle()
        assert subscriber.latest() == live
    publisher.close()


def test_the_feed_knows_how_long_after_their_capture_its_estimates_were_sent() -> None:
    publisher = ZmqPublisher(FeedSettings(bind=ANY_PORT))
    captured_ns = time.time_ns() - 30_000_000
    live = live_estimate_at(0.0, t_capture_ns=captured_ns, t_publish_ns=0, latency_ms={"total": 20.0})
    publisher.send(live)
    summary = publisher.latency("webcam")
    publisher.close()
    assert summary is not None
    assert 29.0 < summary.p50 < 1000.0
    assert publisher.latency("clip") is None


def test_a_subscriber_finds_a_publisher_that_comes_late_and_one_that_comes_back(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/feed"
    with Subscriber(address) as subscriber:
        for run in range(2):
            with publishing(address) as feed:
                feed.put(msgspec.structs.replace(META, t_ns=run), estimate_at(0.0, seq=0))
                assert seqs(received(subscriber, 2)) == [0]
                feed.put(estimate_at(0.1, seq=1))
                assert seqs(received(subscriber, 1)) == [1]
        assert subscriber.lost == 0


def test_close_ends_a_loop_in_another_thread() -> None:
    with publishing() as feed:
        feed.put(estimate_at(0.0))
        subscriber = Subscriber(feed.address)
        began = threading.Event()

        def loop() -> None:
            for _ in subscriber:
                began.set()

        thread = threading.Thread(target=loop)
        thread.start()
        assert began.wait(WAIT_S)
        subscriber.close()
        thread.join(WAIT_S)
        assert not thread.is_alive()
        assert subscriber.connection == "closed"
        subscriber.close()


def test_a_loop_over_a_silent_feed_ends_with_a_timeout_that_says_what_to_check() -> None:
    with (
        publishing() as feed,
        Subscriber(feed.address, timeout_s=0.05) as subscriber,
        pytest.raises(FeedTimeoutError, match=r"nothing came for 0.05 s.*check that a stream is running"),
    ):
        next(iter(subscriber))


def test_messages_that_cannot_be_read_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with zmq.Context() as context, context.socket(zmq.XPUB) as foreign:
        foreign.setsockopt(zmq.LINGER, 0)
        port = foreign.bind_to_random_port("tcp://127.0.0.1")
        with caplog.at_level(logging.WARNING), Subscriber(f"tcp://127.0.0.1:{port}") as subscriber:
            while foreign.recv() != b"\x01affect/":
                pass
            for payload in (b"\x80\x04cnt", b'{"v":2,"kind":"affect"}', b'{"v":1,"kind":"gaze"}'):
                foreign.send_multipart((b"affect/clip/0/", payload))
            foreign.send_multipart((b"affect/clip/0/", msgspec.json.encode(estimate_at(0.0))))
            received(subscriber, 1)
            assert subscriber.unreadable == 2
    assert len(caplog.records) == 1


def test_port_zero_takes_a_free_port_and_reports_it() -> None:
    with publishing("tcp://127.0.0.1:0") as one, publishing("tcp://127.0.0.1:*") as other:
        assert one.address != other.address
        assert not one.address.endswith((":0", ":*"))


def test_a_port_in_use_is_an_error_that_offers_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bind = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(WireError, match=rf"{bind}: the address is in use.*--bind tcp://127.0.0.1:5557"):
            ZmqPublisher(FeedSettings(bind=bind))


@pytest.mark.parametrize(
    ("bind", "says"),
    [
        ("tcp://192.0.2.1:5556", "no such address"),
        ("tcp://nosuchinterface:5556", "no such address or network interface"),
        ("ipc:///nonexistent/folder/feed", "folder of the socket does not exist"),
        ("ipc://" + "x" * 200, "(?i)too long|longer than"),
    ],
)
def test_an_address_that_cannot_be_bound_says_why(bind: str, says: str) -> None:
    with pytest.raises(WireError, match=says):
        ZmqPublisher(FeedSettings(bind=bind, insecure_bind=True))


def test_ipc_works_and_is_not_taken_over_while_in_use(tmp_path: Path) -> None:
    bind = f"ipc://{tmp_path}/feed"
    with publishing(bind) as feed, Subscriber(bind) as subscriber:
        feed.put(estimate_at(0.0))
        received(subscriber, 1)
        with pytest.raises(WireError, match="in use"):
            ZmqPublisher(FeedSettings(bind=bind))
    with publishing(bind):
        pass


def test_the_file_of_an_ipc_socket_goes_with_the_feed(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    with publishing(f"ipc://{path}"):
        assert path.is_socket()
    assert not path.exists()


def test_the_file_of_another_feed_that_has_taken_its_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    first = ZmqPublisher(FeedSettings(bind=f"ipc://{path}"))
    path.unlink()
    with publishing(f"ipc://{path}", said=[estimate_at(0.0)]):
        first.close()
        with Subscriber(f"ipc://{path}") as subscriber:
            received(subscriber, 1)
    assert not path.exists()


def test_a_socket_that_nobody_listens_at_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with publishing(f"ipc://{path}", said=[estimate_at(0.0)]) as feed, Subscriber(feed.address) as subscriber:
        received(subscriber, 1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("my notes"), "is a file that is no socket, and is not replaced"),
        (lambda path: path.mkdir(), "is a folder, and is not replaced"),
        (lambda path: path.symlink_to(path.with_name("notes.txt")), "is a symbolic link"),
        (os.mkfifo, "is a file that is no socket"),
    ],
)
def test_an_ipc_address_never_replaces_what_is_no_dead_socket(
    tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    notes, path = tmp_path / "notes.txt", tmp_path / "feed"
    notes.write_text("kept")
    make(path)
    before = path.lstat()
    with pytest.raises(WireError, match=says):
        ZmqPublisher(FeedSettings(bind=f"ipc://{path}"))
    assert path.lstat().st_ino == before.st_ino
    assert notes.read_text() == "kept"


def test_the_socket_of_another_program_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(WireError, match="in use"):
            ZmqPublisher(FeedSettings(bind=f"ipc://{path}"))
        assert path.is_socket()


def test_an_address_in_use_may_be_free_later_and_a_file_in_its_place_may_not(tmp_path: Path) -> None:
    with publishing() as feed, pytest.raises(WireError) as taken:
        ZmqPublisher(FeedSettings(bind=feed.address))
    (tmp_path / "feed").touch()
    with pytest.raises(WireError) as occupied:
        ZmqPublisher(FeedSettings(bind=f"ipc://{tmp_path}/feed"))
    assert (taken.value.transient, occupied.value.transient) == (True, False)
