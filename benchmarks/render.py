"""Fill the marked blocks of README.md and docs/accuracy.md with the tables of benchmarks/results/*.json.

    python benchmarks/render.py            rewrite them
    python benchmarks/render.py --check    only say whether they are up to date

A block stands between `<!-- benchmark: NAME -->` and `<!-- end -->` and shows NAME.json; with
`<!-- benchmark: NAME | phrase | phrase -->`, only the rows that contain one of the phrases.
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
RESULTS = Path(__file__).parent / "results"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "accuracy.md")
BLOCK = re.compile(
    r"(<!-- benchmark: (?P<name>[a-z_]+)(?P<phrases>(?: \| [^|\n]+?)*) -->\n).*?(<!-- end -->)", re.DOTALL
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
        if phrases:
            benchmark["results"] = [row for row in benchmark["results"] if _contains(row, phrases)]
        return f"{match[1]}{to_markdown(benchmark)}\n<!-- end -->"

    return BLOCK.sub(block, text)


def _contains(row: Row, phrases: Sequence[str]) -> bool:
    return any(phrase in str(cell) for phrase in phrases for cell in row.values())


def to_markdown(benchmark: Mapping[str, Any]) -> str:
    """Tables of a benchmark's rows, and below them what they were measured on and with."""
    rows: Sequence[Row] = benchmark["results"]
    tables = [table(columns, list(group)) for columns, group in itertools.groupby(rows, key=_columns)]
    machine = benchmark["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in benchmark["versions"].items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    return "\n\n".join([*tables, f"`{benchmark['command']}` on {where}; {versions}."])


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
