"""A table as Parquet: typed columns with nulls, and the recording's header as JSON in the schema's metadata."""

from collections.abc import Iterator
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from streamaffect.errors import ConfigError
from streamaffect.recordings.export.table import Column, Row, Table
from streamaffect.recordings.header import encode_header

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP = 8192
HEADER_KEY = b"streamaffect.header"


def require_pyarrow() -> ModuleType:
    """The module pyarrow. Raises ConfigError, with the command that installs it, where it is missing."""
    try:
        import pyarrow
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow, which is not installed; run: pip install 'pyarrow>=18'") from error
    module: ModuleType = pyarrow
    return module


def write_parquet(file: BinaryIO, table: Table) -> int:
    """Write the table in groups of rows, so that memory stays flat, and return the number of rows.

    Raises ConfigError where pyarrow is missing.
    """
    pa = require_pyarrow()
    from pyarrow.parquet import ParquetWriter

    types = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    schema = pa.schema(
        [(column.name, types[column.type]) for column in table.columns],
        metadata={HEADER_KEY: encode_header(table.header)},
    )
    written = 0
    with ParquetWriter(file, schema, compression="zstd") as writer:
        rows = iter(table.rows)
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_batch(pa.record_batch(list(_arrays(group, table.columns, schema)), schema=schema))
            written += len(group)
    return written


def _arrays(group: list[Row], columns: tuple[Column, ...], schema: "pa.Schema") -> Iterator[Any]:
    import pyarrow

    for column, field in zip(columns, schema, strict=True):
        yield pyarrow.array([column.value(row) for row in group], type=field.type)
