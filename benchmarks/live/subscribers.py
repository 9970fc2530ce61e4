"""What a subscriber that has stopped costs the others, and whether those who keep up lose anything.

Rounds without and with stopped subscribers take turns, so that what else the machine does falls on both alike, and of
each kind the median round counts. The feed publishes behind its queue and thread as in a run, at a fixed rate. Each
subscriber is a connection of its own that is read as a program with a plain ZeroMQ library does, and all that has come
is taken at once. By default those that keep up share one process, since ten readers in Python would take both cores of
a small machine from the feed that is measured; a stopped one is a process that has subscribed and reads nothing from
then on.

    python benchmarks/live/subscribers.py
    python benchmarks/live/subscribers.py --messages 40000 --rate 2000 --processes 10
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import multiprocessing as mp
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

import numpy as np
import zmq

from benchmarks.measures.report import show, write
from streamaffect.messages import Estimate, Event
from streamaffect.settings import FeedSettings
from streamaffect.sinks.fan_out import KEEP_S, MOST
from streamaffect.sinks.thread import SinkThread
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from streamaffect.types import Box, FloatArray

STREAMS = 8
TICK_S = 0.004  # so often messages are put, a few at a time
START_S, END_S = 30.0, 60.0
CAPTURE, SEQ = b'"t_capture_ns":', b'"seq":'


@dataclass(frozen=True, slots=True)
class Heard:
    """What one subscriber has received.

    latencies_ms: from the moment that a message was put to its arrival
    """

    received: int
    lost: int
    latencies_ms: FloatArray


def main() -> int:
    """Measure, show and save; 1 where a subscriber that kept up has lost something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=10, help="that keep up (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="that they share (default: %(default)s)")
    parser.add_argument("--stopped", type=int, default=1, help="in every other round (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=1_000_000, help="in all rounds together (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5_500, help="messages a second (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=8, help="in all, an even number (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: among the results)")
    options = parser.parse_args()
    a_round = options.messages // options.rounds
    heard: dict[int, list[list[Heard]]] = {0: [], options.stopped: []}
    rates = []
    for number in range(options.rounds):
        stopped = options.stopped * ((number % 4) in (1, 2))  # without, with, with, without
        shares = _shared(options.subscribers, options.processes)
        rate, found = one_round(shares, stopped, a_round, options.rate)
        rates.append(rate)
        heard[stopped].append(found)
    rows = [_row(f"{stopped} stopped", rounds) for stopped, rounds in heard.items()]
    without, with_them = (_percentile(rounds, 99) for rounds in heard.values())
    lost = sum(int(row["lost"]) for row in rows)
    facts: dict[str, object] = {
        "messages": a_round * options.rounds,
        "messages a second": round(float(np.mean(rates))),
        "subscribers that keep up": options.subscribers,
        "processes that read for them": options.processes,
        "lost by them": lost,
        "p99 with stopped ones / without": round(with_them / without, 3),
    }
    show("put to the subscribers that keep up", rows)
    show("in all", [{"what": key, "value": str(value)} for key, value in facts.items()])
    rows += [{"what": key, "value": value} for key, value in facts.items()]
    print(write("subscribers", rows, options.out, packages=("pyzmq", "msgspec", "numpy")))
    return int(lost > 0)


def one_round(shares: Sequence[int], stopped: int, messages: int, rate: float) -> tuple[float, list[Heard]]:
    """Publish so many messages: the rate that was reached, and what each subscriber that keeps up has heard.

    shares: so many subscribers each process reads for
    """
    publisher = ZmqPublisher(FeedSettings(bind="tcp://127.0.0.1:0"))
    sink = SinkThread(publisher, capacity=MOST, policy="drop_oldest", keep_s=KEEP_S)
    try:
        with _listening(publisher.address, [*shares, *[1] * stopped]) as (processes, ends):
            for end in ends:
                _await_first(sink, end)
            for process in processes[len(shares) :]:
                os.kill(process.pid or 0, signal.SIGSTOP)
            reached = _publish(sink, messages, rate)
            heard = [one for end in ends[: len(shares)] for one in _result(end)]
    finally:
        sink.close(END_S)
    assert sink.dropped == sink.failures == 0, "the feed itself was too slow for this rate on this machine"
    return reached, [Heard(one.received, messages - one.received, one.latencies_ms) for one in heard]


def _shared(subscribers: int, processes: int) -> list[int]:
    """So many subscribers for each process."""
    return [len(range(number, subscribers, processes)) for number in range(min(subscribers, processes))]


@contextmanager
def _listening(
    address: str, shares: Sequence[int]
) -> Iterator[tuple[list[SpawnProcess], "list[Connection[object, object]]"]]:
    context = mp.get_context("spawn")
    processes: list[SpawnProcess] = []
    ends = []
    try:
        for share in shares:
            ours, theirs = context.Pipe()
            process = context.Process(target=_listen, args=(address, share, theirs), daemon=True)
            process.start()
            processes.append(process)
            ends.append(ours)
        yield processes, ends
    finally:
        for process in processes:
            process.kill()
            process.join()


def _await_first(sink: SinkThread, end: "Connection[object, object]") -> None:
    """Until a subscriber says that it is connected; meanwhile there is something to receive."""
    deadline_s = time.monotonic() + START_S
    while not end.poll(0.05):
        sink.put(_estimate(-1))
        assert time.monotonic() < deadline_s, "a subscriber did not connect"
    end.recv()


def _publish(sink: SinkThread, messages: int, rate: float) -> float:
    """Put the messages in small lots, as estimates of several streams come, and then the end; returns the rate."""
    started_s = time.monotonic()
    done = 0
    while done < messages:
        time.sleep(TICK_S)
        due = min(messages, int((time.monotonic() - started_s) * rate))
        for seq in range(done, due):
            sink.put(_estimate(seq))
        done = max(done, due)
    took_s = time.monotonic() - started_s
    sink.put(Event(stream="s0", event="source_ended", t_ns=time.time_ns()))
    return messages / took_s


def _result(end: "Connection[object, object]") -> list[Heard]:
    assert end.poll(END_S), "a subscriber did not hear the end"
    heard = end.recv()
    assert isinstance(heard, list)
    return heard


def _listen(address: str, count: int, end: "Connection[object, object]") -> None:
    """The process of so many subscribers: it says when all are connected, and at the end what each has heard."""
    context = zmq.Context()
    poller = zmq.Poller()
    waiting: set[zmq.Socket[bytes]] = set()  # for their first message
    latencies_ms: dict[zmq.Socket[bytes], list[float]] = {}
    for _ in range(count):
        socket = context.socket(zmq.SUB)
        socket.subscribe(b"affect/")
        socket.subscribe(b"event/")
        socket.connect(address)
        poller.register(socket, zmq.POLLIN)
        waiting.add(socket)
        latencies_ms[socket] = []
    is_told, listening = False, count
    while listening:
        for socket, _ in poller.poll():
            waiting.discard(socket)
            listening -= _drain(socket, latencies_ms[socket])
        if not waiting and not is_told:
            end.send(None)
            is_told = True
    end.send([Heard(len(found), 0, np.asarray(found, np.float32)) for found in latencies_ms.values()])


def _drain(socket: "zmq.Socket[bytes]", latencies_ms: list[float]) -> bool:
    """Take all that has come; True with the end."""
    while True:
        try:
            topic, payload = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        now_ns = time.time_ns()
        if topic.startswith(b"event/"):
            return True
        if _number(payload, SEQ) >= 0 and b'"repeat"' not in payload:
            latencies_ms.append((now_ns - _number(payload, CAPTURE)) / 1e6)


def _number(payload: bytes, name: bytes) -> int:
    """A whole number of the payload; reading all of it as JSON would measure Python's subscribers."""
    start = payload.index(name) + len(name)
    return int(payload[start : payload.index(b",", start)])


def _estimate(seq: int) -> Estimate:
    return Estimate(
        stream=f"s{seq % STREAMS}",
        track=1,
        seq=seq,
        t_capture_ns=time.time_ns(),
        t_publish_ns=0,
        pts_s=None,
        valence=0.123456,
        arousal=-0.234567,
        valence_interval=(-0.1, 0.3),
        arousal_interval=(-0.4, 0.1),
        status="ok",
        coverage=1.0,
        context_fill=1.0,
        lookahead_s=0.0,
        refines=None,
        box=Box(0.41, 0.22, 0.18, 0.3),
        face_score=0.93,
        quality=0.8,
        outputs={"emotions": dict.fromkeys(("happiness", "sadness", "fear", "anger"), 0.25)},
        latency_ms={"capture": 2.1, "faces": 3.4, "encode": 4.0, "clip": 0.9, "publish": 0.0, "total": 11.0},
        model="default@1.0",
    )


def _row(what: str, rounds: Sequence[Sequence[Heard]]) -> dict[str, Any]:
    values = {f"p{percent} ms": round(_percentile(rounds, percent), 2) for percent in (50, 95, 99)}
    all_of_them = [heard for one in rounds for heard in one]
    counts = {"received": sum(one.received for one in all_of_them), "lost": sum(one.lost for one in all_of_them)}
    return {"round": what, "rounds": len(rounds), **values, **counts}


def _percentile(rounds: Sequence[Sequence[Heard]], percent: float) -> float:
    """Of all subscribers together, in the median round."""
    each = [np.percentile(np.concatenate([heard.latencies_ms for heard in one]), percent) for one in rounds]
    return float(np.median(each))


if __name__ == "__main__":
    sys.exit(main())
