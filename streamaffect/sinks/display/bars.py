"""Scales as strokes of text: where a value lies, and its interval."""

_NONE, _THIN, _HEAVY = range(3)
_STROKES = {
    (_NONE, _NONE): " ",
    (_NONE, _THIN): "╶",
    (_NONE, _HEAVY): "╺",
    (_THIN, _NONE): "╴",
    (_THIN, _THIN): "─",
    (_THIN, _HEAVY): "╼",
    (_HEAVY, _NONE): "╸",
    (_HEAVY, _THIN): "╾",
    (_HEAVY, _HEAVY): "━",
}
_STROKES_AT_ZERO = {
    (_NONE, _NONE): "│",
    (_NONE, _THIN): "├",
    (_NONE, _HEAVY): "┝",
    (_THIN, _NONE): "┤",
    (_THIN, _THIN): "┼",
    (_THIN, _HEAVY): "┾",
    (_HEAVY, _NONE): "┥",
    (_HEAVY, _THIN): "┽",
    (_HEAVY, _HEAVY): "┿",
}


def bar(value: float | None, interval: tuple[float, float] | None, width: int) -> str:
    """A scale from −1 to 1 with a thin stem from zero, a heavy stroke over the interval and a disc at the value.

    Without an interval the stroke from zero to the value is heavy. Strokes are exact to half a cell; width is odd.
    """
    middle = width // 2
    if value is None:
        return " " * middle + "│" + " " * middle
    halves = [_NONE] * (2 * width)
    at = _half(value, width)
    _draw(halves, at, width if value >= 0 else width - 1, _THIN if interval else _HEAVY)
    if interval:
        _draw(halves, _half(interval[0], width), _half(interval[1], width), _HEAVY)
    cells = [_STROKES[halves[2 * cell], halves[2 * cell + 1]] for cell in range(width)]
    cells[middle] = _STROKES_AT_ZERO[halves[2 * middle], halves[2 * middle + 1]]
    cells[at // 2] = "●"
    return "".join(cells)


def gauge(value: float, interval: tuple[float, float] | None, span: tuple[float, float], width: int) -> str:
    """A scale over `span`: as `bar` where that lies around zero, with the stem from its lower end elsewhere."""
    low, high = span
    place, scale = (low + high) / 2, (high - low) / 2 or 1.0
    around = None if interval is None else ((interval[0] - place) / scale, (interval[1] - place) / scale)
    if low < 0 < high:
        return bar((value - place) / scale, around, width)
    halves = [_NONE] * (2 * width)
    at = _half((value - place) / scale, width)
    _draw(halves, 0, 2 * width - 1, _THIN)
    if around:
        _draw(halves, _half(around[0], width), _half(around[1], width), _HEAVY)
    else:
        _draw(halves, 0, at, _HEAVY)
    cells = [_STROKES[halves[2 * cell], halves[2 * cell + 1]] for cell in range(width)]
    cells[at // 2] = "●"
    return "".join(cells)


def _half(value: float, width: int) -> int:
    """The half cell in which a value lies."""
    return min(2 * width - 1, max(0, int((value + 1) / 2 * 2 * width)))


def _draw(halves: list[int], start: int, end: int, weight: int) -> None:
    for half in range(min(start, end), min(max(start, end) + 1, len(halves))):
        halves[half] = max(halves[half], weight)
