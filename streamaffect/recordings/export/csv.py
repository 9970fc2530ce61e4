"""A sheet as CSV (RFC 4180, UTF-8, newline `\\n`): a line of names, then one per row. No value: empty.

With decimal commas the separator is a semicolon, as R's `read.csv2` and the spreadsheets of many countries expect it.
"""

import csv
import io
from typing import BinaryIO, Literal

from streamaffect.recordings.export.sheet import Sheet
from streamaffect.recordings.export.table import Value

Decimal = Literal[".", ","]


def write_csv(file: BinaryIO, sheet: Sheet, decimal: Decimal = ".") -> int:
    """Write the sheet and return the number of rows."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n", delimiter=";" if decimal == "," else ",")
    writer.writerow(name for name, _ in sheet.columns)
    written = 0
    for row in sheet.rows:
        writer.writerow(row if decimal == "." else map(_with_comma, row))
        written += 1
    text.detach()
    return written


def _with_comma(value: Value) -> Value:
    return str(value).replace(".", ",") if isinstance(value, float) else value
