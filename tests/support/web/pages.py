"""Pages over real sockets, what asks them as scripts do, and what looks at them as people do."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest
import wsproto
from wsproto.events import AcceptConnection, Ping, RejectConnection, Request, TextMessage

from streamaffect.errors import ControlError
from streamaffect.feed.commands import Reply
from streamaffect.settings import WebSettings
from streamaffect.sinks.web.live import Actions
from streamaffect.sinks.web.pictures import Pictures
from streamaffect.sinks.web.server import PageServer
from streamaffect.sinks.web.sink import Page

WAIT_S = 30.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Answer(NamedTuple):
    """What a server has answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Clerk:
    """Actions that note what they are asked for."""

    def __init__(self) -> None:
        self.recording = ""
        self.asked: list[dict[str, Any]] = []

    def do(self, payload: bytes) -> Reply:
        command = json.loads(payload)
        self.asked.append(command)
        if command["command"] == "record":
            self.recording = "" if self.recording else "session.jsonl"
        if command.get("label") == "refuse":
            raise ControlError("refused, and why")
        return Reply(ok=True, text=f"done: {command['command']}")


@contextmanager
def page(
    *,
    port: int = 0,
    token_file: str = "",
    origins: Sequence[str] = (),
    actions: Actions | None = None,
    pictures: Pictures | None = None,
) -> Iterator[tuple[Page, int]]:
    """A page on loopback and its port."""
    server = PageServer(WebSettings(bind=f"127.0.0.1:{port}", token_file=token_file, origins=[*origins]))
    with closing(Page(server, actions=actions, pictures=pictures)) as sink:
        yield sink, server.address.port


def ask(port: int, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
    """One request; `sec_fetch_site="cross-site"` becomes the header of that name."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


class Caller:
    """A WebSocket as a script opens it. `refused` is the status of a refusal, 0 where it was let in."""

    def __init__(self, port: int, **headers: str) -> None:
        import socket

        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._connection = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        extra = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self._socket.sendall(
            self._connection.send(Request(host=f"127.0.0.1:{port}", target="/v1/live", extra_headers=extra))
        )
        self._waiting: list[str] = []
        self._part = ""
        self.refused = self._handshake()

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, value: object) -> None:
        self._socket.sendall(self._connection.send(TextMessage(json.dumps(value))))

    def next(self, kind: str) -> Any:
        """The next message of this kind; pings alone are none, however many come."""
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            while self._waiting:
                message = json.loads(self._waiting.pop(0))
                if message["kind"] == kind:
                    return message
            self._read()
        raise TimeoutError(f"no {kind} within {WAIT_S:g} s")

    def _handshake(self) -> int:
        while True:
            for event in self._read():
                if isinstance(event, RejectConnection):
                    return event.status_code
                if isinstance(event, AcceptConnection):
                    return 0

    def _read(self) -> list[object]:
        data = self._socket.recv(1 << 16)
        assert data, "the server has closed the connection"
        self._connection.receive_data(data)
        events = list(self._connection.events())
        for event in events:
            if isinstance(event, Ping):
                self._socket.sendall(self._connection.send(event.response()))
            if isinstance(event, TextMessage):
                self._part += event.data
                if event.message_finished:
                    self._waiting.append(self._part)
                    self._part = ""
        return list(events)


def browser_path() -> str:
    """The browser of the system; skips the test where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    return found
