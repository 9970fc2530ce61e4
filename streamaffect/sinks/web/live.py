"""What the page and scripts ask of a run: the newest values, a stream of them, and commands back."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import StreamAffectError
from streamaffect.feed.commands import Reply
from streamaffect.messages import NOTICE
from streamaffect.sinks.web.board import Board
from streamaffect.sinks.web.pictures import Pictures

log = logging.getLogger(__name__)

UPDATE_S = 1 / 15
SILENCE_S = 10.0
MOST_CLIENTS = 32
TRY_AGAIN = 1013


class Actions(Protocol):
    """What the buttons of the page do. Called in threads of their own."""

    @property
    def recording(self) -> str:
        """Where the run is recorded now; empty where it is not."""
        ...

    def do(self, payload: bytes) -> Reply:
        """Carry out a command, as in docs/control.md. Raises StreamAffectError where it is refused."""
        ...


class LivePage:
    """The routes of a run's page.

    actions:  what its buttons do; None shows none
    pictures: what the camera sees; None for numbers alone
    """

    def __init__(self, board: Board, *, actions: Actions | None = None, pictures: Pictures | None = None) -> None:
        self._board = board
        self._actions = actions
        self._pictures = pictures
        self._clients = 0
        self._ending = False

    @property
    def routes(self) -> list[BaseRoute]:
        """Everything below /v1."""
        found: list[BaseRoute] = [
            Route("/v1/page", self.page),
            Route("/v1/latest", self.latest),
            Route("/v1/streams", self.streams),
            Route("/v1/events", self.events),
            WebSocketRoute("/v1/live", self.live),
        ]
        return found if self._pictures is None else [*found, Route("/v1/picture", self.picture)]

    def end(self) -> None:
        """Let every client go; callable from any thread."""
        self._ending = True

    async def page(self, _: Request) -> Response:
        """What the page needs to know before it begins."""
        return JSONResponse({"v": 1, "mode": "live", "notice": NOTICE, **self._abilities()})

    async def latest(self, request: Request) -> Response:
        """The newest estimate of each face in view, the largest first."""
        try:
            track = int(request.query_params["track"]) if "track" in request.query_params else None
        except ValueError:
            return JSONResponse({"error": "track: expected a whole number"}, 400)
        estimates = self._board.estimates(stream=request.query_params.get("stream"), track=track)
        now_ns = Clock.now().utc(monotonic_ns())
        return _json(b'{"v":1,"t_ns":%d,"estimates":[%b]}' % (now_ns, b",".join(estimates)))

    async def streams(self, _: Request) -> Response:
        """What is known of each stream, and its state."""
        found = [
            b'{"stream":%b,"meta":%b,"health":%b}' % (json.dumps(name).encode(), meta, health)
            for name, meta, health in self._board.streams()
        ]
        return _json(b'{"v":1,"notice":%b,"streams":[%b]}' % (json.dumps(NOTICE).encode(), b",".join(found)))

    async def events(self, request: Request) -> Response:
        """Messages as they come, as server-sent events."""
        if self._clients >= MOST_CLIENTS:
            return JSONResponse({"error": f"{self._clients} are looking already"}, 503)
        return StreamingResponse(self._sent_events(request), media_type="text/event-stream")

    async def picture(self, request: Request) -> Response:
        """The newest picture of a stream as JPEG; 204 while there is none."""
        assert self._pictures is not None
        jpeg = await asyncio.to_thread(self._pictures.jpeg, request.query_params.get("stream", ""))
        return Response(status_code=204) if jpeg is None else Response(jpeg, media_type="image/jpeg")

    async def live(self, socket: WebSocket) -> None:
        """Updates out, commands in, until either side goes."""
        if self._clients >= MOST_CLIENTS:
            await socket.close(TRY_AGAIN)
            return
        await socket.accept()
        self._clients += 1
        try:
            async with asyncio.TaskGroup() as group:
                updates = group.create_task(self._send_updates(socket))
                await self._take_commands(socket)
                updates.cancel()
        except* (WebSocketDisconnect, OSError, RuntimeError) as gone:
            log.debug("page: %s", gone.exceptions[0])
        finally:
            self._clients -= 1

    async def _send_updates(self, socket: WebSocket) -> None:
        """What is new, at most so often. Who takes it slowly gets less of it: sending waits, and skips meanwhile."""
        version, silent_s, said = 0, 0.0, b""
        while not self._ending:
            version, messages = self._board.since(version)
            silent_s += UPDATE_S
            about = json.dumps({"kind": "update", **self._abilities()})[:-1].encode()
            if messages or about != said or silent_s >= SILENCE_S:
                await socket.send_text((about + b',"messages":[' + b",".join(messages) + b"]}").decode())
                silent_s, said = 0.0, about
            await asyncio.sleep(UPDATE_S)
        await socket.close(1001)

    def _abilities(self) -> dict[str, object]:
        recording = "" if self._actions is None else self._actions.recording
        return {
            "commands": self._actions is not None,
            "recording": recording,
            "video": "off" if self._pictures is None else self._pictures.kind,
        }

    async def _take_commands(self, socket: WebSocket) -> None:
        while True:
            text = await socket.receive_text()
            reply = await asyncio.to_thread(self._do, text.encode("utf-8", "replace"))
            await socket.send_text(json.dumps({"kind": "reply", **msgspec.to_builtins(reply)}))

    def _do(self, payload: bytes) -> Reply:
        if self._actions is None:
            return Reply(ok=False, error="this run takes no commands from its page")
        try:
            return self._actions.do(payload)
        except StreamAffectError as error:
            return Reply(ok=False, error=str(error))

    async def _sent_events(self, request: Request) -> AsyncIterator[bytes]:
        stream = request.query_params.get("stream")
        self._clients += 1
        version, silent_s = 0, 0.0
        try:
            while not self._ending:
                version, messages = self._board.since(version, stream=stream)
                silent_s += UPDATE_S
                if messages:
                    yield b"".join(b"data: %b\n\n" % message for message in messages)
                    silent_s = 0.0
                elif silent_s >= SILENCE_S:
                    yield b": nothing new\n\n"
                    silent_s = 0.0
                await asyncio.sleep(UPDATE_S)
        finally:
            self._clients -= 1


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
