"""Fill the marked blocks of README, docs and model card with the tables of benchmarks/results/*.json.

    python benchmarks/render.py                     rewrite them
    python benchmarks/render.py --check             only say whether they are up to date
    python benchmarks/render.py mine/MODEL_CARD.md  rewrite those of this file

A block stands between `<!-- benchmark: NAME -->` and `<!-- end -->` and shows NAME.json; with
`<!-- benchmark: NAME | phrase | phrase -->`, only the rows that contain one of the phrases, and with a phrase
`not WORDS`, none that contains the words. `<!-- conditions: NAME -->` shows the errors by condition, one line each;
there, phrases choose parts.
"""

import argparse
import itertools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # a bare checkout is enough, wherever it is started from

from benchmarks.measures.condition_rows import ANSWERED, CONCORDANCE, ERROR, Condition, conditions, label

RESULTS = Path(__file__).parent / "results"
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs" / "accuracy.md",
    ROOT / "docs" / "benchmarks.md",
    ROOT / "docs" / "deployment.md",
    ROOT / "docs" / "engines.md",
    ROOT / "docs" / "fleet.md",
    ROOT / "docs" / "methods" / "lens.md",
    ROOT / "configs" / "train" / "relational" / "default_card.md",
    ROOT / "engines" / "default" / "MODEL_CARD.md",
)
EXCEPT = "not "
BLOCK = re.compile(
    r"(<!-- (?P<kind>benchmark|conditions): (?P<name>[a-z_]+)(?P<phrases>(?: \| [^|\n]+?)*) -->\n).*?(<!-- end -->)",
    re.DOTALL,
)

Row = Mapping[str, object]


def main() -> int:
    """Rewrite or check; 1 where the check finds an old table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", default=DOCUMENTS)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a table is not up to date")
    options = parser.parse_args()
    old = [file for file in options.files if _is_old(file)]
    for file in old:
        if options.check:
            print(f"{file}: its tables are older than {RESULTS}; python benchmarks/render.py", file=sys.stderr)
        else:
            file.write_text(fill(file.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")
    return int(options.check and bool(old))


def _is_old(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return fill(text, RESULTS) != text


def fill(text: str, results: Path) -> str:
    """The text with every block filled. A block whose results have not been measured here stays as it is."""

    def block(match: re.Match[str]) -> str:
        file = results / f"{match['name']}.json"
        if not file.is_file():
            return match[0]
        benchmark = json.loads(file.read_text(encoding="utf-8"))
        phrases = [phrase for phrase in match["phrases"].split(" | ") if phrase]
        if match["kind"] == "conditions":
            found = conditions(benchmark["results"], phrases)
            return f"{match[1]}{condition_table(found, benchmark)}\n<!-- end -->" if found else match[0]
        benchmark["results"] = [row for row in benchmark["results"] if _is_wanted(row, phrases)]
        return f"{match[1]}{to_markdown(benchmark)}\n<!-- end -->"

    return BLOCK.sub(block, text)


def _is_wanted(row: Row, phrases: Sequence[str]) -> bool:
    wanted = [phrase for phrase in phrases if not phrase.startswith(EXCEPT)]
    unwanted = [phrase.removeprefix(EXCEPT) for phrase in phrases if phrase.startswith(EXCEPT)]
    return (not wanted or _contains(row, wanted)) and not _contains(row, unwanted)


def _contains(row: Row, phrases: Sequence[str]) -> bool:
    return any(phrase in str(cell) for phrase in phrases for cell in row.values())


def to_markdown(benchmark: Mapping[str, Any]) -> str:
    """Tables of a benchmark's rows, and below them what they were measured on and with."""
    rows: Sequence[Row] = benchmark["results"]
    tables = [table(columns, list(group)) for columns, group in itertools.groupby(rows, key=_columns)]
    return "\n\n".join([*tables, _provenance(benchmark)])


def condition_table(found: Sequence[Condition], benchmark: Mapping[str, Any]) -> str:
    """One line per condition: how many faces, the share with an estimate, errors and concordances with intervals."""
    measures = {
        f"{name} of {output}": f"{measure}, {output}"
        for name, measure in (("error", ERROR), ("CCC", CONCORDANCE))
        for output in ("valence", "arousal")
    }
    rows = [
        {
            "data": one.part,
            "condition": one.name,
            "faces": one.measures[ANSWERED]["rows"],
            "estimated": f"{one.measures[ANSWERED]['value']:.0%}",
            **{column: _with_interval(one.measures.get(measure)) for column, measure in measures.items()},
        }
        for one in found
    ]
    bundle = label(benchmark["results"])
    about = f"Measured with {bundle}. " if bundle else ""
    return f"{table(tuple(rows[0]), rows)}\n\n{about}{_provenance(benchmark)}"


def _with_interval(row: Mapping[str, Any] | None) -> str | None:
    """The value and its interval, which one person or one picture alone does not have."""
    if row is None:
        return None
    interval = f" ({row['low']:.2f} to {row['high']:.2f})" if row["groups"] > 1 else ""
    return f"{row['value']:.2f}{interval}"


def _provenance(benchmark: Mapping[str, Any]) -> str:
    machine = benchmark["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in benchmark["versions"].items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    return f"`{benchmark['command']}` on {where}; {versions}."


def table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table; numbers to the right."""
    is_text = [isinstance(rows[0][column], str) for column in columns]
    lines = [
        _line(columns),
        _line(["---" if text else "---:" for text in is_text]),
        *(_line([_cell(row[column]) for column in columns]) for row in rows),
    ]
    return "\n".join(lines)


def _columns(row: Row) -> tuple[str, ...]:
    return tuple(row)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else str(value).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
