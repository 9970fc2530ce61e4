"""Who is let into a feed: the answers to what ZeroMQ asks during handshakes (its protocol ZAP, RFC 27).

A handshake reads no file, so that a slow disk, a pipe among the keys or a host of strangers keeps nobody out. Who is
not on the list is answered once it was read anew, since a key may have been added a moment ago. A feed without keys has
no list; there, too, a host that has spent its allowance has to wait.
"""

import logging
import threading
import time
from collections import deque
from typing import NamedTuple

import zmq
from zmq.utils import z85

from streamaffect.feed.keys import check_curve, load_server
from streamaffect.paths import from_home
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq.allow_list import AllowList
from streamaffect.sinks.zmq.allowances import HANDSHAKE_BYTES, Allowances

log = logging.getLogger(__name__)

ENDPOINT = "inproc://zeromq.zap.01"
VERSION, DOMAIN = b"1.0", b"feed"
OK, LATER, STRANGER = (b"200", b"OK"), (b"300", b"later"), (b"400", b"not on the list of allowed clients")
POLL_MS = 50
PATIENCE_S = 2.0  # how long an unknown client waits for the list to be read
MOST_WAITING = 128
PAUSE_S = 0.1
JOIN_S = 1.0


class Waiting(NamedTuple):
    """An unknown client: its question and key, which reading of the list was begun when it came, and when it came."""

    question: list[bytes]
    key: bytes
    reading: int
    since_s: float


class Admission:
    """Answers who may connect to a socket that is about to be bound, and encrypts it where the settings name a key.

    Raises WireError where a key is missing, or where others could read or change one.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", settings: FeedSettings, allowances: Allowances) -> None:
        self._allowances = allowances
        self._allowed = _encrypted(socket, settings) if settings.server_key else None
        socket.zap_domain = DOMAIN
        self._waiting: deque[Waiting] = deque()
        self._stop = False
        self._failures = 0
        try:
            self._questions = socket.context.socket(zmq.ROUTER)
            self._questions.setsockopt(zmq.LINGER, 0)
            self._questions.bind(ENDPOINT)
        except BaseException:
            if self._allowed is not None:
                self._allowed.close()
            raise
        self._thread = self._started()

    def watch(self) -> None:
        """Start what should have died again."""
        if self._allowed is not None:
            self._allowed.watch()
        if not self._thread.is_alive() and not self._stop:
            self._thread = self._started()

    def close(self) -> None:
        """Answer nobody any more. The socket is closed before, the context after."""
        self._stop = True
        self._thread.join(JOIN_S)
        self._questions.close()
        if self._allowed is not None:
            self._allowed.close()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="admission", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while not self._stop:
            try:
                self._serve()
            except zmq.ContextTerminated:
                return
            except Exception as error:
                self._failures += 1
                if self._failures == 1:
                    log.error("admission: %s: %s (logged once)", type(error).__name__, error)
                time.sleep(PAUSE_S)

    def _serve(self) -> None:
        """Answer those who are known at once, and those who have waited for the list."""
        if self._questions.poll(POLL_MS):
            self._take(self._questions.recv_multipart(zmq.NOBLOCK))
        if self._allowed is None:
            return
        now_s = time.monotonic()
        for _ in range(len(self._waiting)):
            client = self._waiting.popleft()
            known = client.key in self._allowed
            if known or self._allowed.completed > client.reading or now_s - client.since_s > PATIENCE_S:
                self._answer(client.question, OK if known else STRANGER)
            else:
                self._waiting.append(client)

    def _take(self, question: list[bytes]) -> None:
        key = _key(question)
        if self._allowed is None or (key is not None and key in self._allowed):
            address = question[5].decode("ascii", "replace") if len(question) > 5 else ""
            self._answer(question, OK if self._allowances.spend(address, HANDSHAKE_BYTES) else LATER)
            return
        if key is None:
            self._answer(question, STRANGER)
            return
        if len(self._waiting) >= MOST_WAITING:
            self._answer(self._waiting.popleft().question, STRANGER)
        self._waiting.append(Waiting(question, key, self._allowed.begun, time.monotonic()))
        self._allowed.refresh_soon()

    def _answer(self, question: list[bytes], answer: tuple[bytes, bytes]) -> None:
        if len(question) < 4:
            return  # nobody to answer
        sender, _, _, request = question[:4]
        status, text = answer
        self._questions.send_multipart((sender, b"", VERSION, request, status, text, b"", b""), zmq.NOBLOCK)


def _encrypted(socket: "zmq.Socket[bytes]", settings: FeedSettings) -> AllowList:
    check_curve()
    pair = load_server(from_home(settings.server_key), may_be_read=settings.insecure_key)
    allowed = AllowList(from_home(settings.allowed_clients))
    socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
    socket.curve_server = True
    return allowed


def _key(question: list[bytes]) -> bytes | None:
    """The public key of who asks; None for a question of another kind.

    After the sender and an empty frame: version, request, domain, address, identity, mechanism, credentials.
    """
    if len(question) != 9 or question[2] != VERSION or question[7] != b"CURVE" or len(question[8]) != 32:
        return None
    return z85.encode(question[8])
