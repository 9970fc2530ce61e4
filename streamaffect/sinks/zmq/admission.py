"""Who is let into an encrypted feed: the answers to what ZeroMQ asks during handshakes (its protocol ZAP, RFC 27).

A handshake reads no file, so that a slow disk, a pipe among the keys or a host of strangers keeps nobody out. Who is
not on the list is answered once it was read anew, since a key may have been added a moment ago.
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

log = logging.getLogger(__name__)

ENDPOINT = "inproc://zeromq.zap.01"
VERSION = b"1.0"
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
    """Encrypts a socket that is about to be bound, and answers who may connect to it.

    Raises WireError where a key is missing, or where others could read or change one.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", settings: FeedSettings) -> None:
        check_curve()
        pair = load_server(from_home(settings.server_key), may_be_read=settings.insecure_key)
        self._allowed = AllowList(from_home(settings.allowed_clients))
        self._waiting: deque[Waiting] = deque()
        self._stop = False
        self._failures = 0
        try:
            self._questions = socket.context.socket(zmq.ROUTER)
            self._questions.setsockopt(zmq.LINGER, 0)
            self._questions.bind(ENDPOINT)
        except BaseException:
            self._allowed.close()
            raise
        self._thread = self._started()
        socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
        socket.curve_server = True

    def watch(self) -> None:
        """Start what should have died again."""
        self._allowed.watch()
        if not self._thread.is_alive() and not self._stop:
            self._thread = self._started()

    def close(self) -> None:
        """Answer nobody any more. The socket is closed before, the context after."""
        self._stop = True
        self._thread.join(JOIN_S)
        self._questions.close()
        self._allowed.close()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="admission", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while not self._stop:
            try:
                self._serve()
            except Exception as error:
                self._failures += 1
                if self._failures == 1:
                    log.error("admission: %s: %s (logged once)", type(error).__name__, error)
                time.sleep(PAUSE_S)

    def _serve(self) -> None:
        """Answer those who are known at once, and those who have waited for the list."""
        if self._questions.poll(POLL_MS):
            self._take(self._questions.recv_multipart(zmq.NOBLOCK))
        now_s = time.monotonic()
        for _ in range(len(self._waiting)):
            client = self._waiting.popleft()
            known = client.key in self._allowed
            if known or self._allowed.completed > client.reading or now_s - client.since_s > PATIENCE_S:
                self._answer(client.question, admit=known)
            else:
                self._waiting.append(client)

    def _take(self, question: list[bytes]) -> None:
        key = _key(question)
        if key is None or key in self._allowed:
            self._answer(question, admit=key is not None)
            return
        if len(self._waiting) >= MOST_WAITING:
            self._answer(self._waiting.popleft().question, admit=False)
        self._waiting.append(Waiting(question, key, self._allowed.begun, time.monotonic()))
        self._allowed.refresh_soon()

    def _answer(self, question: list[bytes], *, admit: bool) -> None:
        if len(question) < 4:
            return  # nobody to answer
        sender, _, _, request = question[:4]
        status, text = (b"200", b"OK") if admit else (b"400", b"not on the list of allowed clients")
        self._questions.send_multipart((sender, b"", VERSION, request, status, text, b"", b""), zmq.NOBLOCK)


def _key(question: list[bytes]) -> bytes | None:
    """The public key of who asks; None for a question of another kind.

    After the sender and an empty frame: version, request, domain, address, identity, mechanism, credentials.
    """
    if len(question) != 9 or question[2] != VERSION or question[7] != b"CURVE" or len(question[8]) != 32:
        return None
    return z85.encode(question[8])
