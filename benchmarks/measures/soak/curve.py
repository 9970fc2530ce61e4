"""The run as curves over its minutes, written as SVG by hand: no plotting library for one picture."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.measures.soak.minutes import Minute, Seen

WIDTH, LEFT, RIGHT, PANEL, GAP, TOP = 760, 64, 16, 92, 34, 58
BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "#767676"  # Okabe–Ito: told apart by all eyes

Point = tuple[float, float]


def write_curve(file: Path, title: str, seen: Seen, minutes: Sequence[Minute]) -> None:
    """Memory, threads and descriptors each second; p99 and losses each minute; grey where the camera was away.

    The warm-up stands before 0, which is dashed.
    """
    centres = [(minute.minute + 0.5) * 60 for minute in minutes]
    latencies = [
        (at_s, minute.p99_ms) for at_s, minute in zip(centres, minutes, strict=True) if minute.p99_ms is not None
    ]
    panels: list[tuple[str, list[tuple[str, list[Point]]]]] = [
        ("resident memory, MB", [(BLUE, [(state.at_s, state.memory_mb) for state in seen.states])]),
        (
            "threads (blue), descriptors (orange)",
            [
                (BLUE, [(state.at_s, state.threads) for state in seen.states]),
                (ORANGE, [(state.at_s, state.descriptors) for state in seen.states]),
            ],
        ),
        ("capture to subscriber, p99 of each minute, ms", [(BLUE, latencies)]),
        ("lost messages a minute", [(BLUE, [(at_s, m.lost) for at_s, m in zip(centres, minutes, strict=True)])]),
    ]
    height = TOP + len(panels) * (PANEL + GAP)
    span = (min(0.0, seen.states[0].at_s), seen.states[-1].at_s)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12" fill="#333333">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="24" font-size="15">{escape(title)}</text>',
    ]
    for number, (name, lines) in enumerate(panels):
        parts += _panel(name, lines, TOP + number * (PANEL + GAP), span, seen.absences)
    parts.append("</svg>\n")
    file.write_text("\n".join(parts), encoding="utf-8")


def _panel(
    name: str, lines: Sequence[tuple[str, list[Point]]], top: float, span: Point, absences: Sequence[Point]
) -> list[str]:
    begin_s, end_s = span
    values = [value for _, points in lines for _, value in points] or [0.0]
    low, high = min(0.0, *values), max(values) or 1.0
    if min(values) > 0.5 * high:  # far from zero, and so flat that nothing would be seen
        low = min(values) - 0.1 * (high - min(values) + 1)

    def place(at_s: float, value: float) -> str:
        x = LEFT + (at_s - begin_s) / (end_s - begin_s) * (WIDTH - LEFT - RIGHT)
        return f"{x:.1f},{top + PANEL - (value - low) / (high - low or 1) * PANEL:.1f}"

    parts = [f'<text x="{LEFT}" y="{top - 6:.0f}">{escape(name)}</text>']
    for start_s, stop_s in absences:
        x, right = (place(at_s, low).partition(",")[0] for at_s in (start_s, min(stop_s, end_s)))
        width = float(right) - float(x)
        parts.append(f'<rect x="{x}" y="{top}" width="{width:.1f}" height="{PANEL}" fill="#eeeeee"/>')
    parts.append(f'<path d="M{LEFT},{top}V{top + PANEL}H{WIDTH - RIGHT}" fill="none" stroke="{GREY}"/>')
    if begin_s < 0:
        zero = place(0.0, low).partition(",")[0]
        parts.append(f'<path d="M{zero},{top}V{top + PANEL}" stroke="{GREY}" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{zero}" y="{top + PANEL + 14:.0f}" text-anchor="middle">0</text>')
    for value, y in ((high, top + 10), (low, top + PANEL)):
        parts.append(f'<text x="{LEFT - 6}" y="{y:.0f}" text-anchor="end">{value:.4g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{top + PANEL + 14:.0f}" text-anchor="end">{end_s / 60:.3g} min</text>')
    for colour, points in lines:
        path = " ".join(place(*point) for point in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if len(points) < 2:
            parts += [
                f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in (place(*p).split(",") for p in points)
            ]
    return parts
