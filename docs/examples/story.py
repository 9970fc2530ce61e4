"""A clip of one face as a story: valence and arousal with their intervals, emotions, action units, and why.

    pip install matplotlib
    python story.py interview.mp4 --out story.svg

The figure shows curves alone, and nothing of the person. What is drawn is also printed, part by part. It tells of the
face that is there for longest.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamaffect import Estimate, StreamAffectError, analyze
from streamaffect.text.action_units import UNIT_NAMES
from streamaffect.text.regions import CELLS, REGIONS, regions_in_words

LENSES = ("units", "map")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe–Ito: told apart by all eyes
SHADES = {
    "warming": ("#f0f2f4", "its context fills"),
    "held": ("#c9ced4", "the face is hidden"),
    "abstain": ("#ecc9c6", "shown too poorly"),
}
UNITS_SHOWN = 5
COLUMNS = 240  # of the carpet of regions
GAP_S = 0.5  # without an estimate for longer, no line is drawn

Array = np.ndarray[Any, np.dtype[np.float64]]
Course = Sequence[Estimate]


def main() -> None:
    """Analyse, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="a file; it is read to its end")
    parser.add_argument("--out", type=Path, default=Path("story.svg"), help="SVG, PNG or PDF (default: %(default)s)")
    parser.add_argument("--parts", type=int, default=6, help="into which the clip is summed up (default: %(default)s)")
    options = parser.parse_args()
    try:
        estimates = list(analyze(options.video, lenses=LENSES))
    except StreamAffectError as error:
        sys.exit(f"story: {error}")
    if not estimates:
        sys.exit(f"story: {options.video}: no face was found")
    (track, _), *_ = Counter(one.track for one in estimates).most_common(1)
    course = [one for one in estimates if one.track == track]
    tell(course, max(1, options.parts))
    draw(course, options.out)
    print(options.out)


def tell(course: Course, parts: int) -> None:
    """A line for each part of the time, of means over its estimates."""
    times_s = seconds(course)
    edges = np.linspace(times_s[0], times_s[-1] + 1e-6, parts + 1)
    print(f"{'seconds':12}{'valence':>8}{'± ':>6}{'arousal':>8}{'± ':>6}  held  emotion, units, and where from")
    for begin_s, end_s in itertools.pairwise(edges):
        part = [one for one, time_s in zip(course, times_s, strict=True) if begin_s <= time_s < end_s]
        if not part:
            continue
        held = np.mean([one.status == "held" for one in part])
        means = (affect(part, what) for what in ("valence", "arousal"))
        words = "; ".join(filter(None, (_emotion(part), _units(part), _regions(part))))
        numbers = "".join(_numbers(np.nanmean(rows, axis=0)) if np.isfinite(rows).any() else " " * 14 for rows in means)
        print(f"{begin_s:4.1f} to {end_s:4.1f}{numbers}  {held:4.0%}  {words}")


def draw(course: Course, out: Path) -> None:
    """The figure: six panels over one axis of time."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    times_s = seconds(course)
    spines = {"axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "story", "svg.fonttype": "none", **spines}):
        figure = Figure(figsize=(10, 12.5), layout="constrained")
        panels = figure.subplots(6, 1, sharex=True, height_ratios=(1, 1, 0.7, 1, 1.3, 1.3))
        panels[2].set_title("width of the intervals")
        for panel, what, colour in zip(panels, ("valence", "arousal"), COLOURS, strict=False):
            low, values, high = affect(course, what).T
            panel.fill_between(times_s, low, high, color=colour, alpha=0.2, linewidth=0)
            panel.plot(times_s, values, color=colour)
            panel.axhline(0, color="#999", linewidth=0.6)
            panel.set(ylim=(-1, 1), title=f"{what}, with its 90 % interval")
            panels[2].plot(times_s, high - low, color=colour, label=what, linewidth=1.3)
        panels[2].set_ylim(0, None)
        _legend(panels[2])
        _lines(panels[3], times_s, emotions(course), "emotions, probability")
        _lines(panels[4], times_s, units(course), "action units that move most, 0 to 1")
        carpet = _carpet(panels[5], course)
        figure.colorbar(carpet, cax=panels[5].inset_axes((1.015, 0, 0.015, 1)), label="fall of the probability")
        for panel in panels[:5]:
            _shade(panel, course)
        _legend(panels[0])
        panels[5].set(xlabel="seconds", xlim=(times_s[0], times_s[-1]))
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def seconds(course: Course) -> Array:
    """Time of each estimate in the file."""
    return np.array([one.t_capture_ns / 1e9 if one.pts_s is None else one.pts_s for one in course])


def affect(course: Course, what: str) -> Array:
    """Valence or arousal, (N, 3): the lower end of its interval, the value, the upper end; NaN while it abstains."""
    rows = [
        (np.nan, np.nan, np.nan) if value is None or ends is None else (ends[0], value, ends[1])
        for value, ends in ((getattr(one, what), getattr(one, f"{what}_interval")) for one in course)
    ]
    return broken(np.array(rows), course)


def broken(numbers: Array, course: Course) -> Array:
    """With NaN after each gap, so that no line is drawn over it."""
    numbers[1:][np.diff(seconds(course)) > GAP_S] = np.nan
    return numbers


def output(course: Course, head: str) -> dict[str, Array]:
    """The columns of a head or lens, by name."""
    names = dict.fromkeys(name for one in course for name in one.outputs.get(head, {}))
    return {
        name: broken(np.array([one.outputs.get(head, {}).get(name, np.nan) for one in course]), course)
        for name in names
    }


def emotions(course: Course) -> dict[str, Array]:
    """Those that are the most probable one at some time."""
    found = output(course, "emotions")
    leading = Counter(max(said, key=said.__getitem__) for one in course if (said := one.outputs.get("emotions")))
    return {name: found[name] for name, _ in leading.most_common(len(COLOURS))}


def units(course: Course) -> dict[str, Array]:
    """Those that move most between their tenth and their ninetieth percentile, by name."""
    found = output(course, "units")
    spans = {name: float(np.subtract(*np.nanpercentile(values, (90, 10)))) for name, values in found.items()}
    most = sorted(spans, key=spans.__getitem__, reverse=True)[:UNITS_SHOWN]
    return {unit_in_words(name): found[name] for name in most}


def unit_in_words(name: str) -> str:
    """ "AU12" as "12 lip corner puller"."""
    number = int(name.removeprefix("AU"))
    return f"{number} {UNIT_NAMES.get(number, '')}".strip()


def region_means(cells: Mapping[str, float]) -> dict[str, float]:
    """The mean of the map in each region, clipped at 0."""
    table = np.array([cells.get(name, 0.0) for name in CELLS]).reshape(8, 8).clip(min=0)
    return {
        region: float(
            np.concatenate([table[top:bottom, left:right].ravel() for top, bottom, left, right in parts]).mean()
        )
        for region, parts in REGIONS.items()
    }


def _means(part: Course, head: str) -> dict[str, float]:
    """Of a head's outputs over the estimates in which it speaks, the largest first."""
    found = {
        name: float(np.nanmean(values)) for name, values in output(part, head).items() if np.isfinite(values).any()
    }
    return dict(sorted(found.items(), key=lambda item: item[1], reverse=True))


def _numbers(means: Array) -> str:
    low, value, high = means
    return f"{value:+8.2f}{(high - low) / 2:6.2f}"


def _emotion(part: Course) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in list(_means(part, "emotions").items())[:1])


def _units(part: Course) -> str:
    return ", ".join(f"{unit_in_words(name)} {value:.2f}" for name, value in list(_means(part, "units").items())[:2])


def _regions(part: Course) -> str:
    cells = _means(part, "map")
    return regions_in_words(cells) if cells else ""


def _lines(axes: Any, times_s: Array, columns: Mapping[str, Array], title: str) -> None:
    for (name, values), colour in zip(columns.items(), COLOURS, strict=False):
        axes.plot(times_s, values, color=colour, label=name, linewidth=1.3)
    axes.set(ylim=(0, 1), title=title)
    _legend(axes)


def _legend(axes: Any) -> None:
    """At the right, of what has a name in the panel."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _shade(axes: Any, course: Course) -> None:
    """Where the face was hidden, shown too poorly, or hardly known yet."""
    times_s = seconds(course)
    ends_s = np.append(times_s[1:], times_s[-1]).clip(max=times_s + GAP_S)
    low, high = axes.get_ylim()
    for status, (colour, words) in SHADES.items():
        spans = [(a, b - a) for a, b, one in zip(times_s, ends_s, course, strict=True) if one.status == status]
        if spans:
            axes.broken_barh(spans, (low, high - low), color=colour, linewidth=0, zorder=0, label=words)


def _carpet(axes: Any, course: Course) -> Any:
    """The map by region, from the forehead to the chin; white where it says nothing."""
    times_s = seconds(course)
    edges = np.linspace(times_s[0], times_s[-1] + 1e-6, COLUMNS + 1)
    sums, counts = np.zeros((len(REGIONS), COLUMNS)), np.zeros(COLUMNS)
    for one, place in zip(course, np.searchsorted(edges, times_s, side="right") - 1, strict=True):
        if "map" in one.outputs:
            sums[:, place] += list(region_means(one.outputs["map"]).values())
            counts[place] += 1
    shown = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    where = (times_s[0], times_s[-1], len(REGIONS) - 0.5, -0.5)
    axes.set(title="why: where hiding the face would take the answer away")
    axes.set_yticks(range(len(REGIONS)), list(REGIONS))
    return axes.imshow(shown, aspect="auto", extent=where, cmap="YlOrRd", vmin=0, interpolation="nearest")


if __name__ == "__main__":
    main()
