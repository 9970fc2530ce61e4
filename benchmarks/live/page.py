"""What the page costs a run: faces at a steady rate, and browsers that read it, each in a process of its own.

The process with the page does nothing but make messages and put them into the page's queue, so that its share of a core
is that of the page and of the making; the latter is measured without a page and taken off.

    python benchmarks/live/page.py --seconds 20
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from benchmarks.measures.report import Row, show, write
from streamaffect.messages import Message
from streamaffect.settings import WebSettings
from streamaffect.sinks.thread import SinkThread
from streamaffect.sinks.web.server import PageServer
from streamaffect.sinks.web.sink import Page
from tests.support.recordings import health_of, live_estimate_at, meta_of
from tests.support.web.pages import Caller

FACES, FPS = 8, 30
WARM_UP_S = 2.0
EMOTIONS = dict.fromkeys(("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"), 1 / 8)


def main() -> int:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (default: %(default)g)")
    parser.add_argument("--clients", type=int, nargs="+", default=[0, 1, 4], help="browsers (default: 0 1 4)")
    parser.add_argument("--out", type=Path, help="JSON file (default: page.json among the results)")
    options = parser.parse_args()
    making = _share_without_page(options.seconds)
    rows: list[Row] = [_row(clients, options.seconds, making) for clients in options.clients]
    show(f"the page, {FACES} faces at {FPS} frames a second", rows)
    write("page", rows, out=options.out, packages=("starlette", "uvicorn", "wsproto", "msgspec"))
    return 0


def _share_without_page(seconds: float) -> float:
    """Share of a core that making the messages takes."""
    return _feed(lambda _: None, seconds)[0]


def _row(clients: int, seconds: float, making: float) -> Row:
    server = PageServer(WebSettings(bind="127.0.0.1:0"))
    sink = SinkThread(Page(server), capacity=50_000, policy="drop_oldest", keep_s=2.0)
    context = multiprocessing.get_context("spawn")
    pipes, readers = [], []
    for _ in range(clients):
        mine, theirs = context.Pipe()
        readers.append(context.Process(target=_read, args=(server.address.port, theirs), daemon=True))
        readers[-1].start()
        pipes.append(mine)
    for pipe in pipes:
        pipe.recv()  # it is connected
    share, longest_put_ms = _feed(sink.put, seconds)
    counts = []
    for pipe in pipes:
        pipe.send("enough")
        counts.append(pipe.recv())
    sink.close(5.0)
    return {
        "clients": clients,
        "share_of_a_core": round(share - making, 4),
        "with_the_making": round(share, 4),
        "updates_per_s": round(sum(found["updates"] / found["seconds"] for found in counts) / max(1, clients), 2),
        "kilobytes_per_s": round(sum(found["bytes"] / found["seconds"] for found in counts) / max(1, clients) / 1e3, 1),
        "longest_put_ms": round(longest_put_ms, 3),
        "dropped": sink.dropped,
    }


def _feed(put: Callable[[Message], None], seconds: float) -> tuple[float, float]:
    """Put faces for so long; returns the share of a core that this process took, and the longest put in ms."""
    put(meta_of("webcam", live=True))
    started_s = next_s = time.perf_counter()
    measured_s, spent_s = started_s, time.process_time()
    longest_s, seq = 0.0, 0
    while (now_s := time.perf_counter()) - started_s < seconds + WARM_UP_S:
        if now_s - started_s >= WARM_UP_S > measured_s - started_s:
            measured_s, spent_s, longest_s = now_s, time.process_time(), 0.0
        if seq % (FACES * FPS) == 0:
            put(health_of("webcam", t_ns=time.time_ns()))
        for face in range(FACES):
            message = live_estimate_at(
                now_s - started_s, seq=seq, track=face, t_publish_ns=0, outputs={"emotions": EMOTIONS}
            )
            before_s = time.perf_counter()
            put(message)
            longest_s = max(longest_s, time.perf_counter() - before_s)
            seq += 1
        next_s += 1 / FPS
        time.sleep(max(0.0, next_s - time.perf_counter()))
    return (time.process_time() - spent_s) / (time.perf_counter() - measured_s), longest_s * 1e3


def _read(port: int, pipe: Connection) -> None:
    """A browser's part: take every update until it is enough, and count."""
    with Caller(port) as caller:
        caller.next("update")
        pipe.send("connected")
        started_s, updates, size = time.perf_counter(), 0, 0
        while not pipe.poll():
            size += len(json.dumps(caller.next("update"), separators=(",", ":")))
            updates += 1
        pipe.send({"updates": updates, "bytes": size, "seconds": time.perf_counter() - started_s})


if __name__ == "__main__":
    sys.exit(main())
