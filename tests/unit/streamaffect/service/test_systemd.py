"""Words to the service manager, over a real socket of its kind."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect.service.systemd import ServiceManager
from tests.support.control.desks import meta

Manager = socket.socket


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(20.0)
        yield bound


@contextmanager
def telling(environment: dict[str, str]) -> Iterator[ServiceManager]:
    told = ServiceManager(environment)
    try:
        yield told
    finally:
        told.close()


def heard(manager: Manager) -> list[str]:
    """All that has been said so far."""
    found = []
    manager.settimeout(0.0)
    try:
        while True:
            found.append(manager.recv(4096).decode())
    except BlockingIOError:
        return found


def test_a_run_is_ready_with_its_first_message_alive_with_the_others_and_stops_once(manager: Manager) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4"})
    messages = told.watch(iter([meta("a"), meta("b")]))
    assert heard(manager) == []
    next(messages)
    assert heard(manager) == ["READY=1", "WATCHDOG=1\nSTATUS=starting"]
    next(messages)
    assert heard(manager) == ["WATCHDOG=1\nSTATUS=starting"]
    told.stopping()
    assert next(messages, None) is None
    assert heard(manager) == ["STOPPING=1"]
    told.close()


def test_an_abstract_name_is_told_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        name = f"streamaffect-test-{os.getpid()}"
        bound.bind(f"\0{name}")
        with telling({"NOTIFY_SOCKET": f"@{name}"}) as told:
            told.ready()
        assert bound.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "comes_at_once"),
    [
        ({"WATCHDOG_USEC": "1"}, True),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({"WATCHDOG_USEC": "60000000"}, False),
        ({}, False),
    ],
)
def test_the_watchdog_hears_as_often_as_it_wants_if_it_is_ours(
    manager: Manager, environment: dict[str, str], *, comes_at_once: bool
) -> None:
    with telling(environment | {"NOTIFY_SOCKET": manager.getsockname()}) as told:
        told.beat()
        heard(manager)
        told.beat()
    assert bool(heard(manager)) is comes_at_once


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative/path"])
def test_nobody_is_told_where_no_socket_is_named(name: str) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": name})
    assert list(told.watch([meta("a")])) == [meta("a")]


def test_a_manager_that_has_gone_is_said_once_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with telling({"NOTIFY_SOCKET": str(tmp_path / "gone")}) as told:
        assert len(list(told.watch([meta("a"), meta("b")]))) == 2
    assert caplog.text.count("the service manager cannot be told") == 1


def test_a_manager_that_does_not_listen_holds_nobody_up(manager: Manager) -> None:
    with telling({"NOTIFY_SOCKET": manager.getsockname()}) as told:
        for _ in range(10_000):  # far more than the socket has room for
            told.ready()
    assert heard(manager)
