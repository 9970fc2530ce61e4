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
