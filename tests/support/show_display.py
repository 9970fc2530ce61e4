"""Show the fake stream of `feeder` in real time: `python -m tests.support.show_display dashboard 60 --faces 3`.

The display runs as it does in the pipeline, behind the thread of a sink. `--crash` ends with an exception instead.
"""

import argparse
import logging
import time

from streamaffect.sinks.display.choice import make_display
from streamaffect.sinks.display.state import RunInfo
from streamaffect.sinks.thread import SinkThread
from tests.support.feeder import Feeder


def main() -> None:
    """Feed the display at the pace of the stream."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["dashboard", "progress", "plain"])
    parser.add_argument("seconds", type=float)
    parser.add_argument("--faces", type=int, default=3)
    parser.add_argument("--lost", type=float, nargs=2)
    parser.add_argument("--length", type=float)
    parser.add_argument("--crash", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    feeder = Feeder(faces=options.faces, lost=tuple(options.lost) if options.lost else None, length_s=options.length)
    run = RunInfo(feed="tcp://127.0.0.1:5556", subscribe="streamaffect listen", recording="session.jsonl")
    sink = SinkThread(make_display(options.mode, run=run), capacity=256, policy="drop_oldest")
    begin = time.monotonic()
    for time_s, message in feeder.messages(options.seconds):
        time.sleep(max(0.0, begin + time_s - time.monotonic()))
        sink.put(message)
    logging.getLogger("feeder").warning("the fake stream is over")
    if options.crash:
        raise RuntimeError("crashed on purpose")
    sink.close(timeout_s=2.0)


if __name__ == "__main__":
    main()
