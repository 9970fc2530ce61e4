"""The server of the page: one thread with a loop of its own, so that no browser ever slows the run."""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from streamaffect.errors import WireError
from streamaffect.settings import WebSettings
from streamaffect.sinks.web.access import DOOR, LOGIN, Access, login, may_enter
from streamaffect.sinks.web.address import Hosts, PageAddress, checked_origins, page_address
from streamaffect.sinks.web.token import Token, read_token

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
MOST_BYTES = 4096  # of a command
BACKLOG = 64
MOST_CONNECTIONS = 256
PING_S, PONG_S = 10.0, 20.0
CLOSE_S = 0.4
_REASONS: Final = MappingProxyType(
    {
        errno.EADDRINUSE: "the port is in use; stop what uses it, or choose another one, or 0 for any free one",
        errno.EADDRNOTAVAIL: "this machine has no such address; use 127.0.0.1, or one of its own",
        errno.EACCES: "no permission; use a port above 1023",
    }
)


class PageServer:
    """Answers browsers from `start` until `close`. Built first, so that an address that is taken ends a run in time.

    Raises ConfigError where the settings allow no page, WireError where its address cannot be bound.
    """

    def __init__(self, settings: WebSettings) -> None:
        address = page_address(settings)
        self._token: Token | None = read_token(settings.token_file) if settings.token_file else None
        self._hosts = Hosts.of(address, settings.hosts)
        self._origins = checked_origins(settings.origins)
        self._socket = _bound(address)
        self.address: Final = PageAddress(address.host, int(self._socket.getsockname()[1]))
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._end: Callable[[], None] = _nothing

    def start(self, routes: Sequence[BaseRoute], *, end: Callable[[], None] | None = None) -> None:
        """Answer with these routes and the page's own files.

        end: called first when the server closes, so that what would go on for ever ends
        """
        self._end = end or _nothing
        app = Access(self._app(routes), hosts=self._hosts, token=self._token, origins=self._origins)
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="wsproto",
            lifespan="off",
            ws_max_size=MOST_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PONG_S,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let the browsers go, and free the address. Doing it again does nothing."""
        self._end()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive() and self._server is not None:
                self._server.force_exit = True
                self._thread.join(CLOSE_S)
        self._socket.close()

    def wait(self) -> None:
        """Until the server ends, as it does when something is wrong with it."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        assert self._server is not None
        with suppress(SystemExit):
            self._server.run(sockets=[self._socket])

    def _app(self, routes: Sequence[BaseRoute]) -> Starlette:
        async def page(_: Request) -> Response:
            return FileResponse(STATIC / "index.html", media_type="text/html")

        async def enter(request: Request) -> Response:
            return await login(request, self._token)

        async def door(request: Request) -> Response:
            return JSONResponse({"closed": self._token is not None and not may_enter(self._token, request.headers)})

        own = [
            Route("/", page),
            Route(LOGIN, enter, methods=["POST"]),
            Route(DOOR, door),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        return Starlette(routes=[*own, *routes])


def _nothing() -> None:
    """What ends where nothing goes on."""


def _bound(address: PageAddress) -> socket.socket:
    """A socket at the address. Raises WireError that says why it cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address.host, address.port))
        bound.listen(BACKLOG)  # from here on a browser that comes early waits
        bound.set_inheritable(False)
    except OSError as error:
        bound.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        passes = error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL)  # freed, or a network that comes later
        raise WireError(f"--web {address.host}:{address.port}: {reason}", transient=passes) from None
    return bound
