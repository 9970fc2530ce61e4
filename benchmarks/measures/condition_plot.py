"""Draw the errors by head pose, face size, blur and light from results/accuracy.json.

python benchmarks/measures/condition_plot.py    writes docs/accuracy_by_condition.png
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # a bare checkout is enough, wherever it is started from

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

from benchmarks.measures.condition_rows import ANSWERED, ERROR, Condition, conditions, label
from benchmarks.measures.report import RESULTS

OUTPUTS = {"valence": ("#0072b2", "o", -0.12), "arousal": ("#d55e00", "s", 0.12)}  # colour, marker, shift
COLUMNS = 3
LONG_NAME = 9  # characters beyond which a name takes two lines
FEW = 0.995  # share with an estimate below which it is written beside the condition


def main() -> None:
    """Draw, save, say where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS / "accuracy.json", help="JSON of accuracy.py")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "accuracy_by_condition.png", help="PNG file")
    options = parser.parse_args()
    try:
        rows = json.loads(options.results.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(
            f"condition_plot: --results {options.results}: {error!r}; expected accuracy.py's JSON"
        ) from None
    found = conditions(rows)
    if not found:
        raise SystemExit(f"condition_plot: {options.results}: has no errors by condition; run benchmarks/accuracy.py")
    draw(found, label(rows), options.out)
    print(options.out)


def draw(found: Sequence[Condition], bundle: str, out: Path) -> None:
    """One panel per part: the error of each output with its interval, and below it the number of faces."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = [(part, list(members)) for part, members in itertools.groupby(found, key=lambda one: one.part)]
    lines = math.ceil(len(panels) / COLUMNS)
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(11, 2.9 * lines), layout="constrained")
        grid = figure.subplots(lines, COLUMNS, sharey=True, squeeze=False).ravel()
        for axes, (part, members) in zip(grid, panels, strict=False):
            _draw_part(axes, part, members)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[::COLUMNS]:
            axes.set_ylabel(ERROR)
        grid[0].set_ylim(0, _highest(found))
        grid[0].legend(loc="upper left", frameon=False)
        about = "95 % intervals; n: faces, and the share that gets an estimate where it is not all"
        figure.suptitle(f"{bundle}: {about}" if bundle else about, fontsize=9)
        figure.savefig(out, dpi=100)


def _draw_part(axes: Any, part: str, members: Sequence[Condition]) -> None:
    for output, (colour, marker, shift) in OUTPUTS.items():
        drawn = [(x + shift, row) for x, one in enumerate(members) if (row := one.measures.get(f"{ERROR}, {output}"))]
        values = [row["value"] for _, row in drawn]
        below = [row["value"] - row["low"] for _, row in drawn]
        above = [row["high"] - row["value"] for _, row in drawn]
        places = [x for x, _ in drawn]
        axes.errorbar(places, values, (below, above), fmt=marker, color=colour, markersize=4, capsize=2, label=output)
    axes.set_title(part)
    axes.set_xticks(range(len(members)), [_tick(one) for one in members])
    axes.set_xlim(-0.5, len(members) - 0.5)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _tick(one: Condition) -> str:
    answered = one.measures[ANSWERED]
    name = one.name.removeprefix("|yaw| ").removeprefix("|roll| ").replace(" to ", "–")
    if len(name) > LONG_NAME:
        name = name.replace(" ", "\n", 1)
    share = f"\n{answered['value']:.0%}" if answered["value"] < FEW else ""
    return f"{name}\nn {answered['rows']}{share}"


def _highest(found: Sequence[Condition]) -> float:
    """Above all values; intervals of a few people may reach beyond."""
    values = [row["value"] for one in found for name, row in one.measures.items() if name.startswith(ERROR)]
    return math.ceil(12 * max(values, default=0.1)) / 10


if __name__ == "__main__":
    main()
