"""Which display fits the terminal and what the user asked for."""

from typing import Literal

from rich.console import Console

from streamaffect.sinks.base import Sink
from streamaffect.sinks.display.progress import FileProgress, PlainProgress
from streamaffect.sinks.display.sink import Dashboard
from streamaffect.sinks.display.state import RunInfo

DisplayMode = Literal["dashboard", "progress", "plain"]


def choose_display(*, requested: bool | None, stdout_is_terminal: bool, live: bool) -> DisplayMode | None:
    """Which display to use; `requested` is None where the user said neither --display nor --no-display.

    A terminal gets the dashboard; if the user wants no display, a file gets a bar and a live source plain lines.
    Where the output is no terminal there are plain lines, and nothing at all if the user wants no display.
    """
    if not stdout_is_terminal:
        return None if requested is False else "plain"
    if requested is False:
        return "plain" if live else "progress"
    return "dashboard"


def can_redraw(console: Console) -> bool:
    """Whether the console is a terminal on which the cursor can move; pass it as `stdout_is_terminal`."""
    return console.is_terminal and not console.is_dumb_terminal


def make_display(mode: DisplayMode, *, run: RunInfo, console: Console | None = None) -> Sink:
    """The display of this mode. The dashboard writes to standard output, progress to standard error, unless told."""
    match mode:
        case "dashboard":
            return Dashboard(console if console is not None else Console(), run=run)
        case "progress":
            return FileProgress(console if console is not None else Console(stderr=True), run=run)
        case "plain":
            return PlainProgress(console if console is not None else Console(stderr=True), run=run)
