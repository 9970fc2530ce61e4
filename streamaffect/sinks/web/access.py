"""Who may ask for the page, and what a browser may do with it: looked at before anything is answered."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamaffect.sinks.web.address import Hosts
from streamaffect.sinks.web.token import Token

COOKIE = "streamaffect"
LOGIN = "/v1/login"
DOOR = "/v1/door"
OPEN = ("/static/", LOGIN, DOOR)  # what shows nothing of the run
SHARED = ("/v1/latest", "/v1/streams", "/v1/events")  # what pages of other addresses may read where they are let
MOST_LOGIN_BYTES = 2048

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_MAY_SAY_THE_TOKEN = {"Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "authorization"}


class Access:
    """Refuses what asks under a foreign name, from a foreign page, or without the token; guards what is answered.

    origins: addresses whose pages may read the numbers; they give no commands
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, token: Token | None, origins: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around the one that answers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        reader = self._reader(scope, headers)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answered[name] = value
                answered["Content-Security-Policy"] = content_policy(host if self._hosts.allow(host) else "")
                if reader:
                    answered["Access-Control-Allow-Origin"] = reader
                    answered.add_vary_header("Origin")
            await send(message)

        if (refusal := self._refusal(scope, headers, host)) is not None:
            await refusal(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: Headers, host: str) -> Response | None:
        """What to answer in the place of what was asked for; a WebSocket is refused with it too."""
        if not self._hosts.allow(host):
            return PlainTextResponse(
                "The page is not known by this name. Use its address, or name it in the setting web.hosts.\n", 421
            )
        path = str(scope["path"])
        reads = bool(self._reader(scope, headers))
        if reads and scope["method"] == "OPTIONS":  # a browser's question whether it may say the token
            return Response(status_code=204, headers=_MAY_SAY_THE_TOKEN)
        if not reads and not _is_of_the_page(scope, headers, host):
            return PlainTextResponse("Asked for by a page of another site; web.origins lets its address read.\n", 403)
        if self._token is None or path.startswith(OPEN) or may_enter(self._token, headers):
            return None
        if path == "/" and scope["type"] == "http":
            return None  # the page itself asks for the token, and shows nothing before
        return JSONResponse({"error": "the token is missing or wrong: Authorization: Bearer TOKEN"}, 401)

    def _reader(self, scope: Scope, headers: Headers) -> str:
        """The address of the page that asks, where it is let to read what it asks for; empty otherwise."""
        origin = headers.get("origin", "").lower()
        is_reading = scope["type"] == "http" and scope["method"] in ("GET", "OPTIONS") and scope["path"] in SHARED
        return origin if is_reading and origin in self._origins else ""


def content_policy(host: str) -> str:
    """What the page may load: what stands beside it, and its own WebSocket, which some browsers want named."""
    sockets = f" ws://{host} wss://{host}" if host else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        f"connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def login(request: Request, token: Token | None) -> Response:
    """Exchange the token, the body of a POST, for a cookie that lasts as long as the browser runs."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_LOGIN_BYTES:
            return JSONResponse({"error": "far too long for a token"}, 413)
    if token is None or not token.is_it(body.decode("utf-8", "replace").strip()):
        return JSONResponse({"error": "this is not the token"}, 401)
    answer = JSONResponse({"ok": True})
    answer.set_cookie(COOKIE, token.cookie, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def _is_of_the_page(scope: Scope, headers: Headers, host: str) -> bool:
    """False where a browser says that a page of another site asks. Other programs say nothing of the kind."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return False
    if scope["type"] == "websocket" or scope["path"] == "/":
        return True  # the one has an origin, to the other links may lead
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def may_enter(token: Token, headers: Headers) -> bool:
    """Whether somebody knows the token, as a script says it or as a browser keeps it."""
    scheme, _, word = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.is_it(word.strip()):
        return True
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return found is not None and token.is_cookie(found.value)
