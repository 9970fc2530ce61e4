import socket
import threading

import pytest

from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.lines import Lines
from streamaffect.sources.remote.race import by_turns, first_connected
from streamaffect.sources.remote.resolver import Place
from tests.support.fault_proxy import FaultProxy

PATIENCE_S = 30.0


def at(port: int) -> Place:
    return socket.AF_INET, ("127.0.0.1", port)


def connected(*places: Place, lines: Lines | None = None, seconds: float = PATIENCE_S) -> socket.socket:
    lines = lines or Lines()
    return first_connected(places, Deadline(seconds), keep=lines.keep, drop=lines.drop)


def test_a_place_that_says_nothing_does_not_hold_up_the_next() -> None:
    with FaultProxy(1) as hole, socket.create_server(("127.0.0.1", 0)) as host:
        hole.play("black hole")
        port = host.getsockname()[1]
        deadline = Deadline(PATIENCE_S)
        with first_connected(
            [at(hole.port), at(port)], deadline, keep=lambda one: one, drop=socket.socket.close
        ) as one:
            assert one.getpeername()[1] == port
        assert deadline.left_s() > PATIENCE_S / 2, "it waited for its share of the time"


def test_a_place_that_refuses_is_gone_over_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as host, connected(at(1), at(host.getsockname()[1])) as one:
        assert one.getpeername() == host.getsockname()


def test_where_all_refuse_the_first_reason_is_given() -> None:
    with pytest.raises(ConnectionRefusedError):
        connected(at(1), at(2))


def test_where_nobody_answers_the_time_is_over() -> None:
    with FaultProxy(1) as hole:
        hole.play("black hole")
        with pytest.raises(TimeoutError):
            connected(at(hole.port), seconds=0.3)


def test_a_protocol_that_this_machine_does_not_have_is_gone_over() -> None:
    nowhere: Place = (socket.AF_INET6, ("100::1", 9, 0, 0))  # a prefix that is thrown away (RFC 6666)
    with socket.create_server(("127.0.0.1", 0)) as host, connected(nowhere, at(host.getsockname()[1])) as one:
        assert one.getpeername() == host.getsockname()


def test_cutting_the_lines_ends_the_wait() -> None:
    lines = Lines()
    with FaultProxy(1) as hole:
        hole.play("black hole")
        threading.Timer(0.1, lines.cut).start()
        with pytest.raises(ConnectionError):
            connected(at(hole.port), lines=lines)


def test_both_protocols_are_tried_in_turn() -> None:
    four: list[Place] = [(socket.AF_INET, (f"192.0.2.{number}", 1)) for number in range(2)]
    six: list[Place] = [(socket.AF_INET6, (f"2001:db8::{number}", 1, 0, 0)) for number in range(3)]
    assert by_turns([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
