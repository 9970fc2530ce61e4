import pytest
from rich.console import Console

from streamaffect.sinks.display.choice import can_redraw, choose_display


@pytest.mark.parametrize(
    ("requested", "terminal", "live", "expected"),
    [
        (None, True, True, "dashboard"),
        (None, True, False, "dashboard"),
        (True, True, False, "dashboard"),
        (False, True, True, "plain"),
        (False, True, False, "progress"),
        (None, False, True, "plain"),
        (True, False, True, "plain"),
        (False, False, False, None),
    ],
)
def test_the_display_fits_the_terminal_and_the_wish(
    requested: bool | None, terminal: bool, live: bool, expected: str | None
) -> None:
    assert choose_display(requested=requested, stdout_is_terminal=terminal, live=live) == expected


def test_a_dumb_terminal_cannot_redraw() -> None:
    assert can_redraw(Console(force_terminal=True, _environ={"TERM": "xterm-256color"}))
    assert not can_redraw(Console(force_terminal=True, _environ={"TERM": "dumb"}))
    assert not can_redraw(Console(force_terminal=False, _environ={"TERM": "xterm-256color"}))
