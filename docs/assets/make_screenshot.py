"""Make docs/screenshot.svg: the display, drawn from the live feed of a real run of the demo.

    python -m docs.assets.make_screenshot docs/screenshot.svg

A stream is started in another process and watched for half a minute, as `streamaffect listen` would. Every number in
the picture is what that run has measured on this machine. Further options go to run_stream.py.
"""

import argparse
import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.segment import Segment, Segments

from streamaffect.clock import monotonic_ns
from streamaffect.feed.client import Subscriber
from streamaffect.sinks.display.dashboard import render
from streamaffect.sinks.display.lines import Screenful
from streamaffect.sinks.display.state import DisplayState, RunInfo

ROOT = Path(__file__).parents[2]
ADDRESS = "tcp://127.0.0.1:5556"
RUN = RunInfo(feed=ADDRESS, subscribe=f"streamaffect listen {ADDRESS}")


def main() -> None:
    """Run, watch, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--source", default="demo")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", type=int, nargs=2, default=(104, 32), metavar=("COLUMNS", "ROWS"))
    options, further = parser.parse_known_args()
    columns, rows = options.size
    command = [sys.executable, "run_stream.py", "--source", options.source, "--bind", ADDRESS, "--no-display"]
    command += ["--max-seconds", str(options.seconds + 10), *further]
    with subprocess.Popen(command, cwd=ROOT) as stream:
        state = watch(options.seconds)
        if stream.poll() is not None:
            sys.exit(f"the stream has ended with exit code {stream.returncode}: nothing is drawn")
        stream.terminate()
    if not state.faces:
        sys.exit("the stream has shown no face: nothing to draw")
    options.picture.write_text(as_svg(render(state, columns, rows, monotonic_ns()), columns), encoding="utf-8")


def watch(seconds: float) -> DisplayState:
    """What a display has learnt from the feed after some seconds."""
    state = DisplayState(RUN)
    with Subscriber(ADDRESS) as feed:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            message = feed.receive(0.1)
            if message is not None:
                state.update(message, monotonic_ns())
    return state


def as_svg(picture: Screenful, columns: int) -> str:
    """The picture as SVG without remote fonts, each word at its own place, so that every viewer keeps the grid."""
    console = Console(file=io.StringIO(), record=True, width=columns, force_terminal=True, color_system="truecolor")
    for line in picture.lines:
        console.print(Segments([*words(line), Segment("\n")]), end="")
    picture_with_fonts = console.export_svg(title="streamaffect")
    local = re.sub(r"@font-face \{.*?\}", "", picture_with_fonts, flags=re.DOTALL)
    return local.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")


def words(line: list[Segment]) -> Iterator[Segment]:
    """A line with its words, runs of braille and spaces as segments of their own."""
    for text, style, _ in line:
        for part in re.split("( +|[\u2800-\u28ff]+)", text):
            if part:
                yield Segment(part, style)


if __name__ == "__main__":
    main()
