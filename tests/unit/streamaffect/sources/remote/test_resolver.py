import socket
import threading

import pytest

from streamaffect.errors import SourceOpenError
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.resolver import Resolver


def test_a_number_needs_no_look_up() -> None:
    assert Resolver().places("127.0.0.1", 7, Deadline(1.0), label="x")[0] == (socket.AF_INET, ("127.0.0.1", 7))


@pytest.mark.parametrize("host", ["no-such-camera.invalid", "a..b", "x" * 70])
def test_a_name_that_nobody_can_have_is_unknown(host: str) -> None:
    with pytest.raises(SourceOpenError, match="the host name is unknown"):
        Resolver().places(host, 7, Deadline(30.0), label="x")


def test_a_name_server_that_hangs_holds_up_one_thread_however_often_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes_on, look_up = threading.Event(), socket.getaddrinfo
    asked: list[str] = []

    def hangs(host: str, *rest: object, **more: object) -> object:
        asked.append(host)
        goes_on.wait(10)
        return look_up("127.0.0.1", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    resolver = Resolver()
    for _ in range(3):
        with pytest.raises(SourceOpenError, match=r"no name server answers within 0.02 s"):
            resolver.places("camera", 7, Deadline(0.02), label="x")
    goes_on.set()
    assert resolver.places("camera", 8, Deadline(10.0), label="x")[0][1] == ("127.0.0.1", 8)
    assert asked == ["camera"]


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
def test_where_a_host_was_is_remembered_while_no_name_server_answers(
    monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    goes_on = threading.Event()
    resolver = Resolver()
    before = resolver.places("localhost", 7, Deadline(30.0), label="x")

    def fails(*_: object, **__: object) -> object:
        if trouble == "hangs":
            goes_on.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert resolver.places("localhost", 7, Deadline(30.0), label="x") == before
    goes_on.set()
    with pytest.raises(SourceOpenError, match="no name server answers; check the network"):
        resolver.places("elsewhere", 7, Deadline(30.0), label="x")


def test_a_name_that_is_not_known_any_more_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver()
    resolver.places("localhost", 7, Deadline(30.0), label="x")

    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SourceOpenError, match="the host name is unknown"):
        resolver.places("localhost", 7, Deadline(30.0), label="x")
