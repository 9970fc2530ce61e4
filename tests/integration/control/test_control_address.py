"""Real controllers at a real control address: answers, refusals, and peers that mean no good."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from streamaffect import ControlError, Controller
from streamaffect.control.server import ControlServer
from streamaffect.errors import WireError
from streamaffect.feed.control_address import control_address
from streamaffect.feed.keys import WrittenKeys, write_keys
from streamaffect.settings import ControlSettings, FeedSettings
from tests.support.control.desks import ToldDesk

pytestmark = pytest.mark.usefixtures("runtime_folder")

ANY = ControlSettings(bind="tcp://127.0.0.1:0")
FEED = "tcp://127.0.0.1:45556"


@contextmanager
def serving(
    desk: ToldDesk, settings: ControlSettings = ANY, feed: FeedSettings | None = None
) -> Iterator[ControlServer]:
    feed = feed or FeedSettings()
    address = control_address(settings, feed, FEED)
    assert address is not None
    server = ControlServer(desk.desk, address, feed, allowed=settings.allowed_clients)
    try:
        yield server
    finally:
        server.close()


def curve(keys: WrittenKeys) -> FeedSettings:
    return FeedSettings(server_key=str(keys.server_key), allowed_clients=str(keys.allowed_clients))


def test_a_controller_finds_the_run_by_the_address_of_its_feed_and_the_socket_is_this_users_alone(
    runtime_folder: Path,
) -> None:
    desk = ToldDesk()
    with serving(desk, ControlSettings()):
        with Controller(FEED) as run:
            run.mark("stimulus 1 – größer")
        (path,) = (runtime_folder / "streamaffect").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert desk.labels == ["stimulus 1 – größer"]
    assert not path.exists()


def test_a_second_run_beside_the_same_feed_is_refused_in_one_line() -> None:
    with (
        serving(ToldDesk(), ControlSettings()),
        pytest.raises(WireError, match=r"in use; stop the other run.*--control"),
        serving(ToldDesk(), ControlSettings()),
    ):
        pass


def test_a_folder_that_is_open_to_others_is_not_used(runtime_folder: Path) -> None:
    (runtime_folder / "streamaffect").mkdir(mode=0o777)
    os.chmod(runtime_folder / "streamaffect", 0o777)  # noqa: PTH101  past the umask
    with pytest.raises(WireError, match="is open to others; name another place"):
        control_address(ControlSettings(), FeedSettings(), FEED)


def test_a_port_that_is_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ControlSettings(bind=f"tcp://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(WireError, match=r"the address is in use; .*--control tcp"), serving(ToldDesk(), settings):
            pass


@pytest.mark.parametrize("bind", ["tcp://0.0.0.0:0", "tcp://10.1.2.3:7000"])
def test_other_machines_give_no_commands_without_keys_whatever_the_feed_allows(bind: str) -> None:
    with pytest.raises(WireError, match="commands are taken there with keys"):
        control_address(ControlSettings(bind=bind), FeedSettings(insecure_bind=True), FEED)


def test_two_controllers_are_both_answered_and_neither_waits_for_the_other() -> None:
    desk = ToldDesk()
    with serving(desk) as server, Controller(server.address) as one, Controller(server.address) as other:
        opening = threading.Thread(target=one.add, args=("door=slow",))
        opening.start()
        assert desk.run.opening.wait(20)
        assert other.mark("while the other waits") > 0
        desk.run.gate.set()
        opening.join(20)
        assert desk.run.added == ["door=slow"]
    assert desk.labels == ["while the other waits"]


def test_a_thousand_markers_of_two_controllers_all_come_each_in_its_order() -> None:
    desk = ToldDesk()

    def mark(name: str) -> None:
        with Controller(server.address) as run:
            for number in range(500):
                run.mark(f"{name} {number}")

    with serving(desk) as server:
        threads = [threading.Thread(target=mark, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    for name in ("a", "b"):
        assert [label for label in desk.labels if str(label)[0] == name] == [f"{name} {i}" for i in range(500)]


def test_who_is_on_the_list_is_answered_and_who_is_not_is_told_so(tmp_path: Path) -> None:
    keys, others = write_keys(tmp_path / "ours"), write_keys(tmp_path / "others")
    desk = ToldDesk()
    with serving(desk, feed=curve(keys)) as server:
        with Controller(server.address, keys=keys.client) as run:
            run.mark("let in")
        for wrong in (None, others.client):
            with (
                Controller(server.address, keys=wrong, answer_s=20) as run,
                pytest.raises(ControlError, match="refuses"),
            ):
                run.mark("kept out")
    assert desk.labels == ["let in"]


def test_a_list_of_its_own_lets_in_fewer_than_the_feed(tmp_path: Path) -> None:
    boss = write_keys(tmp_path, client="boss")
    reader = write_keys(tmp_path, client="reader")
    bosses = tmp_path / "bosses"
    bosses.mkdir()
    (boss.allowed_clients / "boss.key").rename(bosses / "boss.key")
    settings = ControlSettings(bind=ANY.bind, allowed_clients=str(bosses))
    with serving(ToldDesk(), settings, feed=curve(reader)) as server:
        with Controller(server.address, keys=boss.client) as run:
            run.mark("let in")
        with (
            Controller(server.address, keys=reader.client, answer_s=20) as run,
            pytest.raises(ControlError, match="refu"),
        ):
            run.mark("kept out")


def test_nobody_at_the_address_is_said_within_the_time_and_the_next_command_works_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
    with Controller(address, answer_s=0.2) as run:
        with pytest.raises(ControlError, match=r"no run has answered within 0\.2 s; give --address"):
            run.mark("lost")
        desk = ToldDesk()
        with serving(desk, ControlSettings(bind=address)):
            run._answer_s = 20.0
            run.mark("found")
        assert desk.labels == ["found"]


def test_a_text_that_is_no_utf8_is_refused_before_it_is_sent() -> None:
    with serving(ToldDesk()) as server, Controller(server.address) as run:
        with pytest.raises(ControlError, match=r"U\+DCFF"):
            run.mark("a\udcffb")
        with pytest.raises(ControlError, match="no character of UTF-8"):
            run.add("x=\udcff.mp4")


HOSTILE = [b"", b"\0" * 100, b"[" * 4000, b'{"command":"mark"}', b'{"command":"fly"}', b'{"command":"mark","label":7}']


def test_a_request_that_is_none_gets_one_clear_answer_and_nothing_happens() -> None:
    desk = ToldDesk()
    with serving(desk) as server, zmq.Context() as context, context.socket(zmq.REQ) as peer:
        peer.linger = 0
        peer.connect(server.address)
        for payload in HOSTILE:
            peer.send(payload)
            assert peer.poll(20_000)
            answer = peer.recv()
            assert b'"ok":false' in answer
            assert b"docs/control.md" in answer
    assert desk.told == []


def test_a_request_that_is_too_long_and_a_peer_that_is_no_controller_disturb_nobody() -> None:
    desk = ToldDesk()
    with serving(desk) as server, zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(server.address)
        peer.send_multipart([b"", b"x" * 100_000])
        port = int(server.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with Controller(server.address) as run:
                run.mark("still there")
    assert desk.labels == ["still there"]


def test_a_flood_of_one_peer_ends_its_connection_and_another_is_answered() -> None:
    desk = ToldDesk()
    with serving(desk) as server, zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.sndhwm = 0
        monitor = peer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        peer.connect(server.address)
        for _ in range(1500):
            peer.send_multipart([b"", b" " * 4000])
        assert monitor.poll(30_000)
        peer.disable_monitor()
        monitor.close(0)
        with Controller(server.address, answer_s=30) as run:
            run.mark("still there")
    assert desk.labels == ["still there"]
