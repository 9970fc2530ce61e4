"""What the tool shows while it works: a moving line on a terminal, plain lines anywhere else. On standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """The step that is being worked on, and whose it is."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("")
        self._subject = ""

    def __enter__(self) -> "Steps":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    @contextmanager
    def of(self, subject: str) -> Iterator[None]:
        """Steps within this belong to `subject`."""
        self._subject = subject
        try:
            yield
        finally:
            self._subject = ""

    def step(self, what: str) -> None:
        """A new step begins."""
        text = f"{self._subject}: {what}" if self._subject else what
        if self._console.is_terminal:
            self._bar.update(self._task, description=escape(text))
        else:
            self.note(text)

    def note(self, what: str) -> None:
        """Something that stays on the screen."""
        self._console.print(what, highlight=False, markup=False, soft_wrap=True)
