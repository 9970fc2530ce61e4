"""A host on this machine's loopback, for one guest: FFmpeg asks it in a camera's place.

FFmpeg's own way to a camera cannot be kept to it: it follows a redirect to any host, knows fewer ways to log in than
cameras do, and cannot be woken while it waits. So it gets an address here. What the camera has described to us is
described again; everything else goes on, signed, over the connection on which we have asked, and back come pictures.
"""

import contextlib
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator

from streamaffect.sources.remote.authorization import Asked, Signer
from streamaffect.sources.remote.heads import Head, NoReplyError, read_head
from streamaffect.sources.remote.limits import Deadline, Limits
from streamaffect.sources.remote.lines import Line, Lines
from streamaffect.sources.remote.question import CHALLENGE, Reply
from streamaffect.sources.remote.requests import AUTHORIZATION

LOOPBACK = "127.0.0.1"
FRAME = b"$"  # begins what is interleaved with the conversation: a byte for the channel and two for the size follow
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
GOODBYE_S = 0.5
BUFFER_BYTES = 1 << 16


class Relay:
    """Serves FFmpeg from its construction until FFmpeg hangs up, or `lines` are cut.

    reply:       of the camera, to the question for its description; its line is taken over
    description: the body of that reply
    signer:      knows how the camera wants requests to be signed
    again:       connects to the camera anew, for hosts that hang up after each answer
    asked:       how many requests the camera has got so far
    trouble:     why the conversation has ended, where the camera has not just hung up
    """

    def __init__(
        self,
        reply: Reply,
        description: bytes,
        *,
        signer: Signer,
        lines: Lines,
        limits: Limits,
        again: Callable[[], Line],
        asked: int,
    ) -> None:
        self.trouble: str | None = None
        self._reply, self._description = reply, description
        self._signer, self._lines, self._limits, self._again = signer, lines, limits, again
        self._ahead = asked  # by so much the camera's count of requests is ahead of FFmpeg's
        self._camera = reply.line
        self._heard = b""
        self._session = ""
        self._controlled = reply.address.bare
        self._listener = lines.keep(socket.create_server((LOOPBACK, 0), backlog=1))
        self._listener.settimeout(limits.open_s)
        # Whoever else is on this machine cannot guess it.
        self.url = f"rtsp://{LOOPBACK}:{self._listener.getsockname()[1]}/{secrets.token_hex(16)}"
        self._thread = threading.Thread(target=self._run, name=f"relay {reply.address.host}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say goodbye to the camera, unless FFmpeg has, and let go of everything."""
        self._thread.join(GOODBYE_S)
        self._lines.cut()
        self._thread.join(GOODBYE_S)

    def _run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._serve()
        self._camera.close()

    def _serve(self) -> None:
        try:
            guest, _ = self._listener.accept()
        finally:
            self._lines.drop(self._listener)
        self._lines.keep(guest)
        guest.settimeout(None)  # it reads as fast as it can show pictures; who cuts the lines ends a wait
        try:
            requests = self._requests(guest)
            if self._negotiate(guest, requests):
                self._forward(guest, requests)
        finally:
            self._lines.drop(guest)
            self._leave()

    def _negotiate(self, guest: socket.socket, requests: Iterator[bytes]) -> bool:
        """Up to the first picture; False where it does not come to that."""
        for one in requests:
            if one.startswith(FRAME):
                self._camera.send(one, Deadline(self._limits.answer_s))
                continue
            method, target, fields = _parted(one)
            if method in ("OPTIONS", "DESCRIBE") and not target.startswith(self.url):
                return False
            if method == "OPTIONS":
                guest.sendall(self._introduction(fields))
            elif method == "DESCRIBE":
                guest.sendall(self._described(fields))
            elif not self._ask(guest, method, target, fields):
                return False
            elif method == "PLAY":
                return True
        return False

    def _introduction(self, fields: dict[str, str]) -> bytes:
        known = {"Public": self._reply.public or METHODS, "Server": self._reply.head.value("server")}
        return _text(
            "RTSP/1.0 200 OK", {"CSeq": fields["CSeq"], **{name: known[name] for name in known if known[name]}}
        )

    def _described(self, fields: dict[str, str]) -> bytes:
        base = self._reply.head.value("content-base") or self._reply.address.bare
        head = {
            "CSeq": fields["CSeq"],
            "Content-Type": "application/sdp",
            "Content-Base": base,
            "Content-Length": str(len(self._description)),
        }
        return _text("RTSP/1.0 200 OK", head) + self._description

    def _ask(self, guest: socket.socket, method: str, target: str, fields: dict[str, str]) -> bool:
        """Ask the camera and pass on its reply; False where it cannot be passed on."""
        head = self._answer(guest, method, target, fields)
        if head.status == 401 and (challenges := head.values(CHALLENGE)):
            self._signer.learn(challenges)
            self._ahead += 1
            head = self._answer(guest, method, target, fields)
        if head.is_redirect:
            self.trouble = "the host sends on to another address instead of playing; give that address"
            return False
        self._session = head.value("session").partition(";")[0] or self._session
        self._controlled = target
        given = dict(head.fields) | {"cseq": fields["CSeq"]}
        if "transport" in given:
            given["transport"] = _from_here(given["transport"], self._camera.peer)
        if method == "PLAY":
            self._camera.release()  # from here on it wants to be told when nobody looks any more
        guest.sendall(_text(f"RTSP/1.0 {head.status} {'OK' if head.status == 200 else 'refused'}", given))
        if method == "PLAY":
            guest.sendall(self._heard)
        return True

    def _answer(self, guest: socket.socket, method: str, target: str, fields: dict[str, str]) -> Head:
        request = self._signed(method, target, fields)
        try:
            self._camera.send(request, Deadline(self._limits.answer_s))
            return self._answered(guest)
        except (NoReplyError, OSError) as error:
            if self._session or self._lines.is_cut or isinstance(error, TimeoutError):
                raise
            self._camera.close()
            self._camera, self._heard = self._again(), b""
            self._camera.send(request, Deadline(self._limits.answer_s))
            return self._answered(guest)

    def _answered(self, guest: socket.socket) -> Head:
        """The head of the next reply; what comes before it is passed on, its body is gone over."""
        deadline = Deadline(self._limits.answer_s)
        while self._more(1, deadline).startswith(FRAME):
            size = 4 + int.from_bytes(self._more(4, deadline)[2:4], "big")
            self._more(size, deadline)
            guest.sendall(self._heard[:size])
            self._heard = self._heard[size:]
        head, self._heard = read_head(self._camera, deadline, self._heard)
        length = head.length or 0
        self._more(length, deadline)
        self._heard = self._heard[length:]
        return head

    def _more(self, size: int, deadline: Deadline) -> bytes:
        """What was heard, at least so many bytes."""
        while len(self._heard) < size:
            more = self._camera.receive(BUFFER_BYTES, deadline)
            if not more:
                raise NoReplyError(self._heard)
            self._heard += more
        return self._heard

    def _forward(self, guest: socket.socket, requests: Iterator[bytes]) -> None:
        """Pictures to FFmpeg and its requests to the camera, until one of them hangs up."""
        buffer = bytearray(BUFFER_BYTES)
        waiting = select.poll()
        waiting.register(guest, select.POLLIN)
        waiting.register(self._camera, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in waiting.poll()}
            if guest.fileno() in ready:
                one = next(requests, None)
                if one is None:
                    return
                self._camera.send(one if one.startswith(FRAME) else self._resigned(one), Deadline(GOODBYE_S))
            while self._camera.fileno() in ready:
                received = self._camera.receive_into(buffer, Deadline(self._limits.answer_s))
                if not received:
                    return
                guest.sendall(memoryview(buffer)[:received])
                self._learn(buffer, received)
                if not self._camera.has_more:
                    break

    def _learn(self, buffer: bytearray, size: int) -> None:
        """Of a refusal among the pictures, how the next request wants to be signed."""
        at = buffer.find(b"RTSP/1.0 401", 0, size)
        if at < 0:
            return
        text = bytes(buffer[at:size]).partition(b"\r\n\r\n")[0].decode("latin-1")
        named = [line.partition(":") for line in text.split("\r\n")[1:]]
        self._signer.learn([value.strip() for name, _, value in named if name.strip().lower() == CHALLENGE])

    def _requests(self, guest: socket.socket) -> Iterator[bytes]:
        """Whole requests of FFmpeg, and the reports that it sends between them."""
        pending = b""
        while more := guest.recv(BUFFER_BYTES):
            pending += more
            while (end := _end(pending)) is not None:
                one, pending = pending[:end], pending[end:]
                yield one

    def _resigned(self, request: bytes) -> bytes:
        method, target, fields = _parted(request)
        if method == "TEARDOWN":
            self._session = ""
        return self._signed(method, target, fields)

    def _signed(self, method: str, target: str, fields: dict[str, str]) -> bytes:
        target = target.replace(self.url, self._reply.address.bare, 1)
        numbered = fields | {"CSeq": str(int(fields["CSeq"]) + self._ahead)}
        signature = self._signer.sign(Asked(method, target))
        signed = {AUTHORIZATION: signature} if signature else {}
        return _text(f"{method} {target} RTSP/1.0", numbered | signed)

    def _leave(self) -> None:
        """Some cameras send on by UDP until they are told, however the connection ends."""
        if self._session:
            fields = {"CSeq": "1000", "Session": self._session}
            with contextlib.suppress(OSError):
                self._camera.send(self._signed("TEARDOWN", self._controlled, fields), Deadline(GOODBYE_S))


def _end(pending: bytes) -> int | None:
    """Where the first request or report ends; None where it is not complete."""
    if pending.startswith(FRAME):
        end = 4 + int.from_bytes(pending[2:4].ljust(2, b"\xff"), "big")
        return end if end <= len(pending) else None
    found = pending.find(b"\r\n\r\n")
    return None if found < 0 else found + 4


def _parted(request: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and fields of a request. Raises ValueError, KeyError among what follows where it is none."""
    first, *others = request.decode("latin-1").strip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    named = [other.partition(":") for other in others]
    return method, target, {"CSeq": "1"} | {name.strip(): value.strip() for name, _, value in named}


def _text(first: str, fields: dict[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _from_here(transport: str, peer: str) -> str:
    """Where datagrams come from and reports go to: the camera itself, whatever it says."""
    if "interleaved" in transport.lower():
        return transport
    kept = [part for part in transport.split(";") if not part.strip().lower().startswith("source=")]
    return ";".join([*kept, f"source={peer}"])
