"""A sheet as Parquet: typed columns with nulls, and the recording's header as JSON in the schema's metadata."""

from collections.abc import Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from streamaffect.errors import ConfigError
from streamaffect.recordings.export.sheet import Sheet
from streamaffect.recordings.export.table import Value
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


def write_parquet(file: BinaryIO, sheet: Sheet) -> int:
    """Write the sheet in groups of rows, so that memory stays flat, and return the number of rows.

    Raises ConfigError where pyarrow is missing.
    """
    pa = require_pyarrow()
    from pyarrow.parquet import ParquetWriter

    types = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    schema = pa.schema(
        [(name, types[type]) for name, type in sheet.columns],
        metadata={HEADER_KEY: encode_header(sheet.header)},
    )
    written = 0
    with ParquetWriter(file, schema, compression="zstd") as writer:
        rows = iter(sheet.rows)
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_batch(pa.record_batch(list(_arrays(group, schema)), schema=schema))
            written += len(group)
    return written


def _arrays(group: list[Sequence[Value]], schema: "pa.Schema") -> Iterator[Any]:
    import pyarrow

    for values, field in zip(zip(*group, strict=True), schema, strict=True):
        yield pyarrow.array(values, type=field.type)
