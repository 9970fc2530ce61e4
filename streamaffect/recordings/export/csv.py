"""A table as CSV (RFC 4180, UTF-8, newline `\\n`): a line of names, then one per estimate. No value: empty."""

import csv
import io
from typing import BinaryIO

from streamaffect.recordings.export.table import Table


def write_csv(file: BinaryIO, table: Table) -> int:
    """Write the table and return the number of rows."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in table.columns)
    written = 0
    for row in table.rows:
        writer.writerow(column.value(row) for column in table.columns)
        written += 1
    text.detach()
    return written
