"""Giving commands to a run from Python.

    with Controller("tcp://127.0.0.1:5556") as run:
        run.mark("stimulus 1")
        run.add("door=rtsp://10.0.0.7/live")

Each call waits for the answer of the run, and raises ControlError with its reason where the run refuses.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from streamaffect.errors import ControlError, WireError
from streamaffect.feed import commands
from streamaffect.feed.commands import Command, Reply, StreamReport, checked_label, decode_reply, encode_command
from streamaffect.feed.control_address import found_address
from streamaffect.feed.keys import ClientKeys, check_curve, load_client
from streamaffect.paths import from_home
from streamaffect.prompts.reading import checked_prompts, read_text
from streamaffect.settings import DEFAULT_ADDRESS, Whose

ANSWER_S = 5.0
OPENING_S = 60.0  # a camera may take long to give its first picture
POLL_MS = 50
_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_EVENTS = _REFUSALS | zmq.EVENT_HANDSHAKE_SUCCEEDED


class Controller:
    """A run, as far as it can be told what to do. Calls from several threads are answered one after the other.

    address:  of the feed, or of the run's control address where it has one of its own
    keys:     a client's key folder, or its content, where the control address is encrypted
    answer_s: how long to wait for an answer

    Raises WireError where the address or a key is not usable.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        keys: ClientKeys | Path | str | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.address = address
        self._answer_s = answer_s
        self._keys = None
        if keys is not None:
            check_curve()
            self._keys = keys if isinstance(keys, ClientKeys) else load_client(from_home(keys))
        self._lock = threading.Lock()
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        found_address(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def mark(self, label: str, *, stream: str | None = None, t_ns: int | None = None) -> int:
        """Mark a moment; returns it in UTC nanoseconds.

        stream: only in this stream
        t_ns:   the moment, where it was earlier than now, by the clock of the machine that runs the streams
        """
        reply = self._ask(commands.Mark(label=checked_label(label), stream=stream, t_ns=t_ns))
        if reply.t_ns is None:
            raise ControlError(f"{self.address}: has answered without the time of the marker")
        return reply.t_ns

    def start_baseline(self, seconds: float = 5.0, *, stream: str | None = None) -> str:
        """Take the neutral of the faces in view, from now on; what becomes of it is an event, and in `streams`."""
        return self._ask(commands.BaselineStart(seconds=seconds, stream=stream)).text

    def clear_baseline(self, *, stream: str | None = None) -> str:
        """Forget the neutral of all faces."""
        return self._ask(commands.BaselineClear(stream=stream)).text

    def prompts(self, prompts: str | Sequence[str] | Mapping[str, str] = ()) -> str:
        """Look for other sentences: "she is beaming; about to cry", a list of them, or name → sentence.

        Without any nothing changes. Returns what each means, a line for each.
        """
        given = read_text(prompts) if isinstance(prompts, str) else checked_prompts(prompts) if prompts else []
        return self._ask(commands.Prompts(prompts={one.name: one.text for one in given})).text

    def give_voice(self, stream: str, track: Whose) -> str:
        """Say whose voice a stream hears: "only", "largest", "nobody", or the number of a face in view."""
        return self._ask(commands.VoiceOf(stream=stream, track=track)).text

    def streams(self) -> list[StreamReport]:
        """The streams of the run."""
        return self._ask(commands.Streams()).streams

    def add(self, source: str, *, group: str | None = None) -> str:
        """Open a source, as after --source, while the others go on; returns what was done, in words.

        group: of a fleet, the one that it goes to; None is the one with the fewest streams
        """
        return self._ask(commands.Add(source=source, group=group), answer_s=max(self._answer_s, OPENING_S)).text

    def remove(self, name: str) -> str:
        """End a stream, while the others go on; returns what was done, in words."""
        return self._ask(commands.Remove(name=name)).text

    def drain(self, name: str) -> str:
        """Of a fleet: end a group in order, or move the groups of a node elsewhere; returns what is done, in words."""
        return self._ask(commands.Drain(name=name)).text

    def restart(self, name: str | None = None) -> str:
        """Of a fleet: start a group anew, or all, one after the other; returns what is done, in words."""
        return self._ask(commands.Restart(name=name)).text

    def status(self) -> Reply:
        """How the run does: `run` and `streams`."""
        return self._ask(commands.Status())

    def stop(self) -> str:
        """End the run in order; returns what was done, in words."""
        return self._ask(commands.Stop()).text

    def close(self) -> None:
        """Free the socket."""
        with self._lock:
            self._disconnect()
            self._context.destroy(linger=0)

    def _ask(self, command: Command, *, answer_s: float | None = None) -> Reply:
        request = encode_command(command)
        with self._lock:
            reply = decode_reply(self._exchange(request, self._answer_s if answer_s is None else answer_s))
        if not reply.ok:
            raise ControlError(reply.error)
        return reply

    def _exchange(self, request: bytes, answer_s: float) -> bytes:
        if self._context.closed:
            raise ControlError(f"{self.address}: this controller is closed")
        socket = self._socket or self._connect()
        self._socket = socket
        deadline_s = time.monotonic() + answer_s
        refused = False
        try:
            socket.send(request)
            while not socket.poll(POLL_MS):
                refused |= self._is_refused()
                if refused or time.monotonic() > deadline_s:
                    raise self._silence(answer_s, refused=refused)
            return socket.recv()
        except BaseException:
            # A late answer to this request must not be taken for that to the next one.
            self._disconnect()
            raise

    def _connect(self) -> "zmq.Socket[bytes]":
        address = found_address(self.address)  # looked up anew: the run may have started since
        socket: zmq.Socket[bytes] = self._context.socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, int(address.is_ipv6))
        if self._keys is not None:
            socket.curve_publickey, socket.curve_secretkey = self._keys.own.public, self._keys.own.secret
            socket.curve_serverkey = self._keys.server
        self._monitor = socket.get_monitor_socket(_EVENTS)
        try:
            socket.connect(address.text)
        except zmq.ZMQError as error:
            raise WireError(f"{self.address}: {error.strerror}; expected tcp://HOST:PORT or ipc://PATH") from error
        return socket

    def _disconnect(self) -> None:
        if self._socket is not None and not self._context.closed:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(0)
        self._socket = None

    def _is_refused(self) -> bool:
        refused = False
        while self._monitor.poll(0):
            refused |= bool(int(recv_monitor_message(self._monitor)["event"]) & _REFUSALS)
        return refused

    def _silence(self, answer_s: float, *, refused: bool) -> ControlError:
        if refused:
            return ControlError(
                f"{self.address}: the run refuses this controller; an encrypted one needs --keys DIR of a client on "
                "its list, a plain one none"
            )
        return ControlError(
            f"{self.address}: no run has answered within {answer_s:g} s; give --address the address of its feed, or "
            "that of --control",
            transient=True,
        )
