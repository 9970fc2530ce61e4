import io

from rich.console import Console

from streamaffect.sinks.display.sink import Dashboard
from streamaffect.sinks.display.state import RunInfo
from tests.support.feeder import Feeder

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class CountingFile(io.StringIO):
    """Counts the writes: the dashboard writes once for each redraw."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


class Screen:
    """A dashboard on a terminal of 80 × 24 cells, with a clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.file = CountingFile()
        console = Console(file=self.file, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm-256color"})
        self.dashboard = Dashboard(console, run=RunInfo(), clock=lambda: round(self.now_s * 1e9))

    def play(self, feeder: Feeder, seconds: float) -> None:
        for self.now_s, message in feeder.messages(seconds):
            self.dashboard.send(message)


def test_it_redraws_at_most_ten_times_a_second_whatever_the_frame_rate() -> None:
    screen = Screen()
    screen.play(Feeder(faces=8, fps=120.0), 3.0)
    opening = 2  # the other screen, and no cursor
    assert 3 <= screen.file.writes - opening <= 31


def test_the_clocks_on_the_screen_go_on_without_messages() -> None:
    screen = Screen()
    screen.play(Feeder(faces=1, lost=(1.0, 60.0)), 1.2)
    for second in range(2, 9):
        screen.now_s = float(second)
        screen.dashboard.idle()
    assert "for 7 s; trying to reconnect" in screen.file.getvalue()


def test_it_opens_and_leaves_the_screen_once_and_a_message_after_that_shows_nothing() -> None:
    screen = Screen()
    screen.play(Feeder(faces=1), 2.0)
    screen.dashboard.close()
    written = screen.file.getvalue()
    screen.now_s = 60.0
    screen.dashboard.send(Feeder().health(60.0))
    screen.dashboard.close()
    assert written.count(ENTER) == written.count(LEAVE) == 1
    assert screen.file.getvalue() == written


def test_closing_a_dashboard_that_was_never_drawn_writes_nothing() -> None:
    screen = Screen()
    screen.dashboard.close()
    assert screen.file.getvalue() == ""
