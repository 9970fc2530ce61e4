"""Fill the marked blocks of the README with the tables of benchmarks/results/*.json.

    python benchmarks/render.py            rewrite README.md
    python benchmarks/render.py --check    only say whether it is up to date

A block stands between `<!-- benchmark: NAME -->` and `<!-- end -->` and shows NAME.json.
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
BLOCK = re.compile(r"(<!-- benchmark: (?P<name>[a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = Mapping[str, object]


def main() -> int:
    """Rewrite or check; 1 where the check finds an old table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=ROOT / "README.md")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a table is not up to date")
    options = parser.parse_args()
    text = options.file.read_text(encoding="utf-8")
    filled = fill(text, RESULTS)
    if filled == text:
        return 0
    if options.check:
        print(f"{options.file}: its tables are older than {RESULTS}; python benchmarks/render.py", file=sys.stderr)
        return 1
    options.file.write_text(filled, encoding="utf-8")
    return 0


def fill(text: str, results: Path) -> str:
    """The text with every block filled. A block whose results have not been measured here stays as it is."""

    def block(match: re.Match[str]) -> str:
        file = results / f"{match['name']}.json"
        if not file.is_file():
            return match[0]
        return f"{match[1]}{to_markdown(json.loads(file.read_text(encoding='utf-8')))}\n{match[3]}"

    return BLOCK.sub(block, text)


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
