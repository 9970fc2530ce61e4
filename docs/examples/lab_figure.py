"""A session's exports, read back, compared with each other and drawn: raw and relative values, intervals, markers.

    pip install pyxdf
    python lab_figure.py sessions/p01        # a folder of lab_session.py

The figure is written as SVG by hand, so that nothing else is needed; `columns` are numpy arrays for your own plots.
"""

import csv
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 900, 56, 14, 64, 110, 36
PANELS = (
    ("valence", "valence, raw", "#0072b2"),  # Okabe–Ito: told apart by all eyes
    ("valence_relative", "valence relative to the baseline", "#0072b2"),
    ("arousal", "arousal, raw", "#d55e00"),
    ("arousal_relative", "arousal relative to the baseline", "#d55e00"),
)
Array = np.ndarray[Any, np.dtype[np.float64]]
Events = list[tuple[float, str]]


@dataclass(frozen=True)
class Session:
    """What the XDF file holds of the face that is there for longest.

    times_s: seconds as in the column `timestamp` of all exports: from the first estimate, or the file's own time
    columns: a value for each time, NaN where there is none
    events:  seconds and what happened: labels of markers, and events such as `baseline_taken:0`
    """

    times_s: Array
    columns: dict[str, Array]
    events: Events


def read_xdf(path: Path) -> Session:
    """Read the export as any program for XDF does. Time stamps are capture times: UTC seconds of a live stream."""
    streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)  # times are as captured: nothing to smooth
    face = max((one for one in streams if one["info"]["type"] == ["Affect"]), key=lambda one: len(one["time_stamps"]))
    (events,) = (one for one in streams if one["info"]["type"] == ["Markers"])
    labels = [channel["label"][0] for channel in face["info"]["desc"][0]["channels"][0]["channel"]]
    columns = dict(zip(labels, face["time_series"].T, strict=True))
    first_s = face["time_stamps"][0] - columns["timestamp"][0]
    return Session(
        times_s=face["time_stamps"] - first_s,
        columns=columns,
        events=[
            (float(at_s - first_s), text[0])
            for at_s, text in zip(events["time_stamps"], events["time_series"], strict=True)
        ],
    )


def read_csv(path: Path, *, decimal: str = ".") -> list[dict[str, str]]:
    """Rows by column. In pandas: `read_csv(path)`, or `read_csv(path, sep=";", decimal=",")`."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";" if decimal == "," else ","))
    return [{name: text.replace(decimal, ".") for name, text in row.items()} for row in rows]


def read_boris(path: Path) -> Events:
    """Seconds and labels of the markers in a BORIS table."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [(float(row["Time"]), row["Behavior"]) for row in rows if row["Behavioral category"] == "marker"]


def show(folder: Path) -> None:
    """Read all files of a session, say how far they agree, print the means, draw the figure."""
    session = read_xdf(folder / "session.xdf")
    markers = read_boris(folder / "session.tsv")
    labels = [text for _, text in markers]
    in_xdf = [(at_s, text) for at_s, text in session.events if text in labels]
    if [text for _, text in in_xdf] != labels:
        sys.exit("XDF and BORIS have different markers")
    apart_s = max((abs(a_s - b_s) for (a_s, _), (b_s, _) in zip(in_xdf, markers, strict=True)), default=0.0)
    rows = read_csv(folder / "session.csv")
    if rows != read_csv(folder / "session_comma.csv", decimal=","):
        sys.exit("the two CSV files differ")
    if [text for row in rows for text in row.get("marker", "").split("; ") if text] != labels:
        sys.exit("CSV and BORIS have different markers")
    print(f"{len(session.times_s)} estimates, {len(rows)} rows of CSV, {len(markers)} markers; ", end="")
    print(f"XDF and BORIS set them {apart_s * 1e3:.2f} ms apart at most")
    print_means(session, stretches(markers))
    (folder / "session.svg").write_text(drawn(session, stretches(markers)), encoding="utf-8")
    print(folder / "session.svg")


def stretches(markers: Events) -> list[tuple[str, float, float]]:
    """Label, begin and end of whatever has a marker `… ends` too."""
    ends = {text.removesuffix(" ends"): at_s for at_s, text in markers if text.endswith(" ends")}
    return [(text, at_s, ends[text]) for at_s, text in markers if text in ends]


def print_means(session: Session, stimuli: list[tuple[str, float, float]]) -> None:
    """The mean of each column in each stretch, over estimates that have one."""
    print(f"{'':24}" + "".join(f"{name:>18}" for name, _, _ in PANELS))
    outside = np.ones(len(session.times_s), dtype=bool)
    for label, begin_s, end_s in stimuli:
        inside = (session.times_s >= begin_s) & (session.times_s < end_s)
        outside &= ~inside
        print_row(label, session, inside)
    print_row("between", session, outside & (session.times_s > baseline_of(session)[1]))


def print_row(label: str, session: Session, chosen: Array) -> None:
    """One line of the table."""
    values = [session.columns[name][chosen] for name, _, _ in PANELS]
    print(f"{label:24}" + "".join(f"{np.nanmean(v) if np.isfinite(v).any() else np.nan:18.2f}" for v in values))


def baseline_of(session: Session) -> tuple[float, float]:
    """When the baseline began and was taken; (0, 0) where none was."""
    begin_s = 0.0
    for at_s, text in session.events:
        if text.startswith("baseline_started"):
            begin_s = at_s
        if text.startswith("baseline_taken"):
            return begin_s, at_s
    return 0.0, 0.0


def drawn(session: Session, stimuli: list[tuple[str, float, float]]) -> str:
    """The figure. A pixel's width of time is one point: the mean of its estimates, and of their interval ends."""
    height = TOP + len(PANELS) * (PANEL + GAP) + 12
    bottom = height - 28
    end_s = float(session.times_s[-1])
    scale = (WIDTH - LEFT - RIGHT) / end_s
    shaded = [(*baseline_of(session), "baseline", "#d9d9d9"), *((b, e, label, "#f5ecc8") for label, b, e in stimuli)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">A session of {end_s / 60:.2g} minutes: apparent expression, '
        "with 90 % intervals</text>",
    ]
    for begin_s, until_s, label, colour in shaded:
        x, width = LEFT + begin_s * scale, (until_s - begin_s) * scale
        parts.append(f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{bottom - TOP}" fill="{colour}"/>')
        parts += [
            f'<path d="M{LEFT + at_s * scale:.1f},{TOP - 4}V{bottom}" stroke="#777" stroke-dasharray="3 3"/>'
            for at_s in (begin_s, until_s)
        ]
        parts.append(f'<text x="{x + width / 2:.1f}" y="{TOP - 10}" text-anchor="middle">{escape(label)}</text>')
    for number, (name, title, colour) in enumerate(PANELS):
        parts += panel(session, name, title, colour, TOP + 20 + number * (PANEL + GAP))
    seconds = range(0, int(end_s) + 1, max(1, round(end_s / 10 / 5) * 5 or 1))
    parts += [
        f'<text x="{LEFT + at_s * scale:.1f}" y="{height - 10}" text-anchor="middle">{at_s} s</text>'
        for at_s in seconds
    ]
    return "\n".join([*parts, "</svg>", ""])


def panel(session: Session, name: str, title: str, colour: str, top: float) -> list[str]:
    """One course with its interval."""
    low, value, high = (session.columns[f"{name}{ending}"] for ending in ("_low", "", "_high"))
    bottom, most = (min(-1.0, np.floor(np.nanmin(low) * 2) / 2), max(1.0, np.ceil(np.nanmax(high) * 2) / 2))

    def y(number: float) -> float:
        return top + (most - number) / (most - bottom) * PANEL

    parts = [f'<text x="{LEFT}" y="{top - 5}" fill="{colour}">{title}</text>']
    for line in (bottom, 0.0, most):
        parts.append(f'<path d="M{LEFT},{y(line):.1f}H{WIDTH - RIGHT}" stroke="#bbb" stroke-width="0.7"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(line) + 4:.1f}" text-anchor="end">{line:g}</text>')
    pixels = np.floor(session.times_s / session.times_s[-1] * (WIDTH - LEFT - RIGHT)).astype(int)
    means: list[tuple[int, float, float, float]] = []
    for pixel in np.unique(pixels[np.isfinite(value)]):
        inside = (pixels == pixel) & np.isfinite(value)
        means.append((LEFT + int(pixel), *(float(column[inside].mean()) for column in (low, value, high))))
    for piece in unbroken(means):
        band = [f"{x},{y(v):.1f}" for x, v, _, _ in piece] + [f"{x},{y(v):.1f}" for x, _, _, v in reversed(piece)]
        parts.append(f'<polygon points="{" ".join(band)}" fill="{colour}" fill-opacity="0.2"/>')
        line_points = " ".join(f"{x},{y(v):.1f}" for x, _, v, _ in piece)
        parts.append(f'<polyline points="{line_points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    return parts


def unbroken(means: list[tuple[int, float, float, float]]) -> list[list[tuple[int, float, float, float]]]:
    """Pieces without a gap of more than three pixels: where there was no face, no line is drawn."""
    pieces: list[list[tuple[int, float, float, float]]] = []
    for mean in means:
        if pieces and mean[0] - pieces[-1][-1][0] <= 3:
            pieces[-1].append(mean)
        else:
            pieces.append([mean])
    return pieces


if __name__ == "__main__":
    show(Path(sys.argv[1]))
