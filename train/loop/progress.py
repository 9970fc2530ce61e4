"""What a run shows while it trains: a progress bar on a terminal, one line per epoch anywhere else."""

import time
from collections.abc import Callable
from itertools import count

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """One bar per stage, with the newest losses beside it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
        )  # fmt: skip
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal)
        self._task: TaskID | None = None
        self._epoch_began_s = time.monotonic()

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def start(self, title: str, total: int, done: int) -> None:
        """A new stage of `total` steps, of which `done` came before a resume."""
        self._task = self._bar.add_task(title, total=total, completed=done, losses="")
        self._epoch_began_s = time.monotonic()

    def advance(self, done: int) -> None:
        """`done` steps are finished."""
        if self._task is not None:
            self._bar.update(self._task, completed=done)

    def show(self, losses: dict[str, float]) -> None:
        """The parts of the loss at this step."""
        if self._task is not None:
            self._bar.update(self._task, losses=_line(losses))

    def epoch(self, number: int, scores: dict[str, float]) -> None:
        """An epoch is over."""
        now_s = time.monotonic()
        self.console.print(
            f"epoch {number}  {_line(scores)}  {now_s - self._epoch_began_s:.0f} s", highlight=False, soft_wrap=True
        )
        self._epoch_began_s = now_s

    def videos(self, total: int) -> Callable[[str, str], None]:
        """A bar over `total` videos; gives what is to be called with the name and the fate of each."""
        self.start("faces of videos", total, 0)
        numbers = count(1)

        def done(name: str, what: str) -> None:
            self.advance(next(numbers))
            self.note(name, what)

        return done

    def note(self, subject: str, what: str) -> None:
        """Something else is done."""
        self.console.print(f"{subject}: {what}", highlight=False, soft_wrap=True)


def _line(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.items())
