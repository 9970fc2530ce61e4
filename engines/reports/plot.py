"""The times of several engines as bars, written as SVG by hand: no plotting library for one picture."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from streamaffect.errors import EngineError
from streamaffect.runtime.engine_record import Timing

WIDTH, LABELS, ROW, GAP, TOP = 760, 250, 18, 14, 44
COLOURS = ("#767676", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # Okabe–Ito: told apart by all eyes


def write_plot(file: Path, title: str, timings: Mapping[str, Sequence[Timing]]) -> None:
    """One group of bars per graph, batch size and thread count; the bar is the median, the line reaches to p95.

    timings: by the engine's name, all in the same order
    Raises EngineError where the file cannot be written.
    """
    names = list(timings)
    groups = list(zip(*timings.values(), strict=True))
    group_height = len(names) * ROW + GAP
    first_y = TOP + len(names) * ROW + GAP
    height = first_y + len(groups) * group_height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12" fill="#333333">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="24" font-size="15">{escape(title)}: milliseconds a call; '
        "bar and number: median, line: to p95</text>",
        *_legend(names, TOP),
    ]
    for number, group in enumerate(groups):
        parts += _group(group, names, first_y + number * group_height)
    parts.append("</svg>\n")
    try:
        file.write_text("\n".join(parts), encoding="utf-8")
    except OSError as error:
        raise EngineError(f"{file}: cannot be written ({error.strerror}); choose another place") from error


def _group(group: Sequence[Timing], names: Sequence[str], y: int) -> list[str]:
    """The bars of one measurement, on a scale of their own: graphs differ by a hundred times."""
    longest_ms = max(timing.p95_ms for timing in group)
    scale = (WIDTH - LABELS - 80) / longest_ms
    first = group[0]
    threads = "thread" if first.threads == 1 else "threads"
    parts = [f'<text x="12" y="{y + ROW - 5}">{first.role} × {first.batch}, {first.threads} {threads}</text>']
    for row, timing in enumerate(group):
        top, length = y + row * ROW, timing.p50_ms * scale
        colour = COLOURS[row % len(COLOURS)]
        middle, reach = top + ROW / 2 - 1, LABELS + timing.p95_ms * scale
        parts += [
            f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{ROW - 4}" fill="{colour}">'
            f"<title>{escape(names[row])}</title></rect>",
            f'<line x1="{LABELS + length:.1f}" y1="{middle}" x2="{reach:.1f}" y2="{middle}" stroke="{colour}"/>',
            f'<text x="{reach + 6:.1f}" y="{top + ROW - 6}">{timing.p50_ms:.3f}</text>',
        ]
    return parts


def _legend(names: Sequence[str], y: int) -> list[str]:
    parts: list[str] = []
    for row, name in enumerate(names):
        top = y + row * ROW
        colour = COLOURS[row % len(COLOURS)]
        parts += [
            f'<rect x="{LABELS}" y="{top}" width="{ROW - 4}" height="{ROW - 4}" fill="{colour}"/>',
            f'<text x="{LABELS + ROW + 2}" y="{top + ROW - 6}">{escape(name)}</text>',
        ]
    return parts
