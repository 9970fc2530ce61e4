"""What a peer may do to a feed that others read: nothing that they would notice."""

import os
import resource
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import zmq

from streamaffect.feed.alive import IDLE_S, UNANSWERED_MS
from streamaffect.feed.client import Subscriber
from streamaffect.messages import Message
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq import allowances, peers, publisher
from streamaffect.sinks.zmq.allowances import Allowances
from streamaffect.sinks.zmq.last_messages import REPEAT_S
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from tests.support.feeds import ANY_PORT, WAIT_S, Feed, publishing, received
from tests.support.recordings import estimate_at, meta_of

WAIT_MS = 20_000
SUBSCRIBER = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
FLOOD = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.integration.sinks.test_zmq_feed_under_attack import frame, greeted

with greeted(int(sys.argv[1])) as peer:
    try:
        while True:
            peer.sendall(b"".join(frame(b"\\x01affect/" + os.urandom(int(sys.argv[2]))) for _ in range(100)))
    except OSError:
        print("cut off")
"""


def frame(content: bytes) -> bytes:
    """A message of ZMTP 3.0."""
    size = len(content)
    return (bytes([0, size]) if size < 256 else b"\x02" + size.to_bytes(8, "big")) + content


@contextmanager
def greeted(port: int) -> Iterator[socket.socket]:
    """A subscriber made by hand, after its handshake."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as peer:
        peer.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\x00") + bytes(32))
        exactly(peer, 64)
        peer.sendall(bytes([4, len(SUBSCRIBER)]) + SUBSCRIBER)
        exactly(peer, exactly(peer, 2)[1])
        yield peer


def exactly(peer: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        more = peer.recv(size - len(content))
        assert more, "closed"
        content += more
    return content


def is_closed(peer: socket.socket) -> bool:
    """Whether the feed ends this connection within a while; what it sends meanwhile is passed over."""
    peer.settimeout(WAIT_S)
    try:
        while peer.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def port_of(feed: Feed | ZmqPublisher) -> int:
    return int(feed.address.rpartition(":")[2])


@contextmanager
def idling(settings: FeedSettings) -> Iterator[ZmqPublisher]:
    """A publisher that looks after its subscribers in a thread, as it does behind a sink's."""
    sink, done = ZmqPublisher(settings), threading.Event()

    def idle() -> None:
        while not done.wait(0.005):
            sink.idle()
        sink.close()

    thread = threading.Thread(target=idle)
    thread.start()
    try:
        yield sink
    finally:
        done.set()
        thread.join(WAIT_S)


# What the first connections take, some thousand subscriptions each, is kept; a longer attack takes no more.
MOST_MB = 150.0


class Delays:
    """How long messages took to their reader, in time of the processor that this process spent meanwhile.

    What limits keep away is work. It is the same on a machine that does much else, on which any message may be seconds
    late by the clock.
    """

    def __init__(self, feed: Feed, reader: Subscriber) -> None:
        self._feed = feed
        self._reader = reader
        self._seq = 0
        self.slowest_s = 0.0

    def during(self, attacker: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
        """Publish and read one message after the other while a process lives."""
        while attacker.poll() is None and self._seq < 4000:
            self._seq += 1
            spent_s = time.process_time()
            self._feed.put(estimate_at(0.0, seq=self._seq))
            received(self._reader, 1)
            self.slowest_s = max(self.slowest_s, time.process_time() - spent_s)
            time.sleep(0.005)


def test_a_topic_of_two_megabytes_ends_its_own_connection_and_nobody_else_notices() -> None:
    with publishing(said=[estimate_at(0.0, seq=0)]) as feed, Subscriber(feed.address) as reader:
        received(reader, 1)
        with greeted(port_of(feed)) as greedy:
            with suppress(OSError):
                greedy.sendall(frame(b"\x01" + b"x" * 2_000_000))
            for seq in range(1, 50):
                feed.put(estimate_at(0.0, seq=seq))
                received(reader, 1)
            assert is_closed(greedy)
        assert reader.lost == 0


@pytest.mark.parametrize("size", [20, 900])
def test_a_flood_of_subscriptions_is_cut_off_and_costs_the_others_neither_messages_nor_time(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[Message] = [meta_of("clip", live=False), estimate_at(0.0, seq=0)]
    with publishing(said=said) as feed, Subscriber(feed.address) as reader:
        received(reader, 2)
        command = [sys.executable, "-c", FLOOD, str(port_of(feed)), str(size)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
            delays = Delays(feed, reader)
            delays.during(flood)
            out, _ = flood.communicate(timeout=WAIT_S)
        assert out == "cut off\n"
        assert reader.lost == 0
        assert delays.slowest_s < 5.0  # without limits it is the whole flood and longer
    assert "cut off a subscriber that sent more than 64 KiB of subscriptions" in caplog.text


def test_many_subscriptions_to_one_topic_are_few_repeats_for_the_others() -> None:
    with (
        publishing(said=[meta_of("clip", live=False)]) as feed,
        zmq.Context() as context,
        context.socket(zmq.SUB) as reader,
        greeted(port_of(feed)) as restless,
    ):
        reader.setsockopt(zmq.LINGER, 0)
        reader.subscribe(b"")
        reader.connect(feed.address)
        assert reader.poll(WAIT_MS)
        started_s = time.monotonic()
        for _ in range(100):
            restless.sendall(frame(b"\x01meta/") + frame(b"\x00meta/"))
            time.sleep(0.01)
        time.sleep(2 * REPEAT_S)
        copies = 0
        while reader.poll(100):
            reader.recv_multipart()
            copies += 1
        assert 1 <= copies <= 2 + (time.monotonic() - started_s) / REPEAT_S


def test_connections_that_say_nothing_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MAX_STRANGERS", 8)
    with publishing(said=[estimate_at(0.0)]) as feed, ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(feed)), WAIT_S)) for _ in range(40)
        ]
        with Subscriber(feed.address) as reader:
            received(reader, 1)
        assert is_closed(silent[0])  # the oldest


def test_connections_do_not_use_up_the_descriptors_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    with publishing(said=[estimate_at(0.0)]) as feed, ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(feed)), WAIT_S)) for _ in range(30)
        ]
        with Subscriber(feed.address) as reader:
            received(reader, 1)
        assert is_closed(silent[20])  # an eighth of them is for strangers


def test_a_handshake_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "HANDSHAKE_MS", 200)
    with publishing() as feed, socket.create_connection(("127.0.0.1", port_of(feed)), WAIT_S) as silent:
        assert is_closed(silent)


def test_a_subscriber_that_takes_nothing_any_more_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one is whose host has vanished: the system closes what nobody answers."""
    monkeypatch.setattr(publisher, "ALIVE", {zmq.TCP_MAXRT: 300})
    with publishing() as feed, greeted(port_of(feed)) as stopped:
        stopped.sendall(frame(b"\x01affect/"))
        deadline_s = time.monotonic() + WAIT_S
        while feed.publisher._peers._peers or time.monotonic() < deadline_s - WAIT_S + 0.5:
            feed.put(*(estimate_at(0.0, seq=seq) for seq in range(500)))
            assert time.monotonic() < deadline_s
            time.sleep(0.02)


def test_connections_are_asked_by_the_system_whether_they_live() -> None:
    with publishing(said=[estimate_at(0.0)]) as feed, Subscriber(feed.address) as reader:
        received(reader, 1)
        (descriptor,) = feed.publisher._peers._peers
        with peers._borrowed(descriptor) as connection:
            assert connection is not None
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_S
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNANSWERED_MS


def test_beyond_the_limit_a_subscriber_waits_until_another_one_has_gone(tmp_path: Path) -> None:
    for bind in (ANY_PORT, f"ipc://{tmp_path}/feed"):
        with idling(FeedSettings(bind=bind, max_subscribers=2)) as feed:
            feed.send(meta_of("clip", live=False))
            with Subscriber(feed.address) as one:
                received(one, 1)
                with Subscriber(feed.address) as two:
                    received(two, 1)
                    third = Subscriber(feed.address)
                    assert third.receive(0.5) is None
                received(third, 1)  # by itself, once the second has gone
                third.close()


def test_what_is_cut_off_is_a_connection_of_the_feed_and_nothing_else() -> None:
    """The number of a descriptor that ZeroMQ has closed may be anything's: it is looked at before it is shut down."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as feed:
        watched = peers.Peers(feed, Allowances(), most=1)
        port = feed.bind_to_random_port("tcp://127.0.0.1")
        with greeted(port):
            while not watched._peers:
                watched.look()
            ((descriptor, peer),) = watched._peers.items()
            other, other_end = socket.socketpair()
            with other, other_end:
                watched._peers[other.fileno()] = peer
                watched._cut(other.fileno(), "a test")
                assert other.send(b"x") == 1
                watched._note(other.fileno())
                assert other.fileno() not in watched._peers
            with Path(os.devnull).open() as no_socket:
                watched._note(no_socket.fileno())
            assert list(watched._peers) == [descriptor]
        watched.close()


ATTACK = f"""
import os, socket, sys, time
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.integration.sinks.test_zmq_feed_under_attack import frame, greeted

port = int(sys.argv[1])
until_s = time.monotonic() + 2.0
subscriptions = b"".join(frame(b"\\x01affect/" + os.urandom(20)) for _ in range(1000))
repeats = b"".join(frame(b"\\x01affect/") + frame(b"\\x00affect/") for _ in range(2000))
"""
ATTACKS = {
    "a subscription of 40 MB": """
with greeted(port) as peer:
    peer.sendall(b"\x02" + (40_000_000).to_bytes(8, "big"))
    for _ in range(40):
        peer.sendall(bytes(1_000_000))
""",
    "2,000 repeats": """
with greeted(port) as peer:
    peer.sendall(repeats)
    time.sleep(1.0)
""",
    "1,000 connections": """
silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(1000)]
""",
    "connections without an end": """
while time.monotonic() < until_s:
    try:
        with greeted(port):
            pass
    except (OSError, AssertionError):
        pass
""",
    "connections with all that one may subscribe to": """
while time.monotonic() < until_s:
    try:
        with greeted(port) as peer:
            peer.sendall(subscriptions)
    except (OSError, AssertionError):
        pass
""",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_under_attack_a_feed_goes_on_and_its_memory_stays(attack: str) -> None:
    with publishing(said=[estimate_at(0.0, seq=0)]) as feed, Subscriber(feed.address) as reader:
        received(reader, 1)
        before = memory_mb()
        program = ATTACK + f"try:\n{textwrap.indent(ATTACKS[attack], '    ')}\nexcept OSError:\n    pass\n"
        with subprocess.Popen([sys.executable, "-c", program, str(port_of(feed))]) as attacker:
            delays = Delays(feed, reader)
            delays.during(attacker)
            attacker.kill()
        assert reader.lost == 0
        assert delays.slowest_s < 5.0  # without limits 18 s, on two processors
        assert memory_mb() - before < MOST_MB


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def test_a_host_that_has_spent_its_allowance_is_let_in_again_once_some_has_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allowances, "BURST_BYTES", 600)
    monkeypatch.setattr(allowances, "REFILL_BYTES_PER_S", 0.0)
    with publishing(said=[estimate_at(0.0)]) as feed, zmq.Context() as context:
        for _ in range(3):
            with suppress(AssertionError, OSError), greeted(port_of(feed)):
                pass
        with Subscriber(feed.address) as reader, context.socket(zmq.SUB) as plain:
            plain.setsockopt(zmq.LINGER, 0)
            plain.subscribe(b"affect/")
            plain.connect(feed.address)
            assert reader.receive(1.0) is None
            assert not plain.poll(0)
            monkeypatch.setattr(allowances, "REFILL_BYTES_PER_S", 1e6)
            received(reader, 1)  # by itself
            assert plain.poll(WAIT_MS)
