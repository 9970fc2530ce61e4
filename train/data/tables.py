"""CSV tables of labels, read row by row; everything that is wrong is a `DataError` with file and line."""

import csv
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..errors import DataError


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a table. line: its number in the file, 1 is the header."""

    file: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """A cell that must not be empty."""
        value = self.cells[column]
        if not value:
            self.fail(f"{column} is empty")
        return value

    def number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number in [low, high]."""
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            self.fail(f"{column} is {text!r}, expected a number")
        if not math.isfinite(value) or not low <= value <= high:
            self.fail(f"{column} is {text}, expected {_range(low, high)}")
        return value

    def is_empty(self, column: str) -> bool:
        """Whether the cell holds nothing."""
        return not self.cells[column]

    def fail(self, problem: str) -> NoReturn:
        """Raise a DataError that says where."""
        raise DataError(f"{self.file}:{self.line}: {problem}")


def read_table(file: Path, columns: Collection[str]) -> list[TableRow]:
    """All rows of a CSV file that has these columns, among others; cells are stripped, empty lines skipped.

    Raises:
        DataError: the file is missing, not UTF-8, lacks a column, or a line has another number of cells.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return list(_rows(file, lines, columns))
    except FileNotFoundError:
        raise DataError(f"{file}: missing; expected a table with the columns {', '.join(columns)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text ({error.reason}); save the table as CSV in UTF-8") from None


def check_unique(seen: dict[str, TableRow], key: str, row: TableRow) -> None:
    """Remember `row` under its key; raises DataError where another line has the same."""
    if key in seen:
        row.fail(f"{key} is already in line {seen[key].line}; every clip may be listed once")
    seen[key] = row


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return "a finite number" if math.isinf(low) else f"a number of at least {low:g}"
    return f"a number from {low:g} to {high:g}"


def _rows(file: Path, lines: Iterable[str], columns: Collection[str]) -> Iterator[TableRow]:
    table = csv.reader(lines)
    header = [cell.strip() for cell in next(table, [])]
    if missing := [column for column in columns if column not in header]:
        raise DataError(f"{file}:1: no column {missing[0]!r}; found {', '.join(header) or 'an empty file'}")
    for cells in table:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(f"{file}:{table.line_num}: {len(cells)} cells, the header has {len(header)}")
        yield TableRow(file, table.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
