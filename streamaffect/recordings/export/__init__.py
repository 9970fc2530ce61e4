"""Recordings as files for other tools: CSV, Parquet, EmotionML, XDF, ELAN and BORIS.

In CSV, Parquet and EmotionML, both a provisional estimate and the one that refines it are exported; `refines` tells
them apart. XDF, ELAN, BORIS and rows at a fixed rate hold the latest word on each picture.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from streamaffect.errors import ConfigError
from streamaffect.messages import Message
from streamaffect.recordings.export.boris import write_boris
from streamaffect.recordings.export.csv import Decimal as Decimal
from streamaffect.recordings.export.csv import write_csv
from streamaffect.recordings.export.elan import write_elan
from streamaffect.recordings.export.emotionml import write_emotionml
from streamaffect.recordings.export.latest import latest
from streamaffect.recordings.export.markers import MARKER_COLUMN, marked
from streamaffect.recordings.export.parquet import require_pyarrow, write_parquet
from streamaffect.recordings.export.resample import check_rate, resample, resampled_columns
from streamaffect.recordings.export.sheet import sheet_of, sheet_of_voices
from streamaffect.recordings.export.table import Column, Row, Survey, Table, columns, happenings, rows, survey
from streamaffect.recordings.export.xdf import write_xdf
from streamaffect.recordings.header import RecordingHeader, is_recording
from streamaffect.recordings.output_file import check_output, output_path, whole_file
from streamaffect.recordings.reading import Recording, read_recording

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Format = Literal["csv", "parquet", "emotionml", "xdf", "elan", "boris"]

FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".emotionml": "emotionml",
    ".xml": "emotionml",
    ".xdf": "xdf",
    ".eaf": "elan",
    ".tsv": "boris",
}
Subject = Literal["estimates", "voice"]

ONE_VALUE_A_PICTURE: tuple[Format, ...] = ("xdf", "elan", "boris")
AT_A_FIXED_RATE: tuple[Format, ...] = ("csv", "parquet", "xdf")
UNITS: dict[Format, str] = {"elan": "annotations", "boris": "events"}
WANTED = "an export is a file, e.g. session.csv"
PROGRESS_FROM_BYTES = 8 << 20
MESSAGES_PER_UPDATE = 1000

_WRITERS: dict[Format, Callable[[BinaryIO, Table], int]] = {
    "csv": lambda file, table: write_csv(file, sheet_of(table)),
    "parquet": lambda file, table: write_parquet(file, sheet_of(table)),
    "emotionml": write_emotionml,
    "xdf": write_xdf,
    "elan": write_elan,
    "boris": write_boris,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written.

    rows:      what is in the file: estimates, or rows at a fixed rate; annotations of ELAN, events of BORIS
    unit:      what has been counted, in words
    torn:      True where the recording's last line was incomplete and has been ignored
    complaint: what of the recording is not in it, in words; None where nothing is missing
    """

    path: Path
    rows: int
    torn: bool
    complaint: str | None = None
    unit: str = "estimates"


def export(
    path: str | Path,
    out: str | Path,
    *,
    format: Format | None = None,
    stream: str | None = None,
    overwrite: bool = False,
    decimal: Decimal = ".",
    rate_hz: float | None = None,
    of: Subject = "estimates",
    console: "Console | None" = None,
) -> Exported:
    """Write the recording `path` to `out`; memory does not grow with the estimates.

    For ELAN and BORIS it grows with what is written: changes of a status, events, and means of each second.

    format:  None takes it from the ending of `out`
    stream:  only this stream; None is all of them
    decimal: "," writes CSV with decimal commas, and semicolons between the values
    rate_hz: resample to so many rows per second and face, with gaps as gaps; None leaves the estimates as they are
    of:      "voice" is what was heard, twice a second and whosever voice it was, in the place of the estimates
    console: where the progress of a long export is shown; None shows none

    Raises ConfigError for a format, stream or rate that does not exist or fit and where pyarrow is missing,
    RecordingError where the recording cannot be read or `out` cannot be written. After an error there is no new file.
    """
    out = output_path(out, wanted=WANTED)
    chosen = format or _format_of(out)
    _check_fits(chosen, decimal, rate_hz)
    if of == "voice":
        _check_voice(chosen, rate_hz)
    if chosen == "parquet":
        require_pyarrow()
    recording = read_recording(path)
    if out.exists() and out.samefile(recording.path):
        raise ConfigError(f"{out}: is the recording itself; give another name for the export")
    check_output(out, overwrite=overwrite, inputs=[recording.path], objection=_objection)
    with _progress(recording, console) as progress:
        found = survey(_watched(recording, progress, "reading"), stream)
        header = recording.header.with_added(found.added)
        _check_stream(recording.path, header, stream)
        with whole_file(out, overwrite=overwrite, inputs=[recording.path]) as file:
            messages = _watched(recording, progress, "writing")
            if of == "voice":
                sheet = sheet_of_voices(header, messages, stream, found=found)
                written = write_csv(file, sheet, decimal) if chosen == "csv" else write_parquet(file, sheet)
            else:
                every = rows(messages, stream, start_ns=found.start_ns)
                table = Table(
                    header=header,
                    columns=_columns(found, header, rate_hz),
                    rows=_prepared(every, found, chosen, rate_hz, longest_s=header.clip_s),
                    happenings=happenings(recording, stream),
                    origins_ns=found.origins(header),
                    rate_hz=rate_hz,
                    markers=found.markers,
                )
                written = _writer(chosen, decimal)(file, table)
    return Exported(out, written, recording.torn, recording.complaint, _unit(chosen, of, rate_hz))


def _check_fits(format: Format, decimal: Decimal, rate_hz: float | None) -> None:
    """Raise ConfigError where an option has no meaning for this format."""
    if decimal not in (".", ","):
        raise ConfigError(f"decimal {decimal!r}: give a point or a comma")
    if decimal == "," and format != "csv":
        raise ConfigError(f"decimal commas: are for csv, not for {format}, whose numbers are the same everywhere")
    if rate_hz is not None:
        check_rate(rate_hz)
        if format not in AT_A_FIXED_RATE:
            raise ConfigError(f"a fixed rate: is for {', '.join(AT_A_FIXED_RATE)}, not for {format}")


def _check_voice(format: Format, rate_hz: float | None) -> None:
    if format not in ("csv", "parquet"):
        raise ConfigError(f"the voice alone: is for csv and parquet, not for {format}; xdf has it beside the faces")
    if rate_hz is not None:
        raise ConfigError("the voice alone: is listened to twice a second as it is; leave out --clean and --rate")


def _writer(format: Format, decimal: Decimal) -> Callable[[BinaryIO, Table], int]:
    return _WRITERS[format] if decimal == "." else lambda file, table: write_csv(file, sheet_of(table), decimal)


def _columns(found: Survey, header: RecordingHeader, rate_hz: float | None) -> tuple[Column, ...]:
    units = {head.name for head in header.heads if head.kind == "units"}
    every = columns(
        found.outputs,
        intervals=found.intervals,
        units=units,
        baselines=found.baselines,
        descriptions=found.descriptions,
    )
    every += (MARKER_COLUMN,) if found.markers else ()
    return every if rate_hz is None else resampled_columns(every)


def _prepared(
    every: Iterator[Row], found: Survey, format: Format, rate_hz: float | None, *, longest_s: float
) -> Iterator[Row]:
    """The rows as the format wants them, with the markers beside them."""
    if rate_hz is not None:
        every = resample(latest(every), rate_hz, longest_s=longest_s)
    elif format in ONE_VALUE_A_PICTURE:
        every = latest(every)
    return marked(every, found.markers, found.last_ns) if found.markers else every


def _unit(format: Format, of: Subject, rate_hz: float | None) -> str:
    """What is counted in the file, in words."""
    if of == "voice":
        return "readings of the voice"
    return UNITS.get(format, "estimates" if rate_hz is None else "rows")


def _objection(out: Path) -> str | None:
    """Why a file is not replaced by an export."""
    return "is a recording, and is not replaced by an export; choose another name" if is_recording(out) else None


def _format_of(out: Path) -> Format:
    found = FORMAT_OF_SUFFIX.get(out.suffix.lower())
    if found is None:
        raise ConfigError(
            f"{out}: format unknown; let the name end in {', '.join(FORMAT_OF_SUFFIX)}, or name the format"
        )
    return found


def _check_stream(path: Path, header: RecordingHeader, stream: str | None) -> None:
    names = [recorded.stream for recorded in header.streams]
    if stream is not None and stream not in names:
        raise ConfigError(f"stream {stream!r}: is not in {path}; it has {', '.join(names)}")


def _progress(recording: Recording, console: "Console | None") -> "Progress":
    from rich.progress import Progress

    is_long = recording.path.stat().st_size >= PROGRESS_FROM_BYTES
    return Progress(console=console, transient=True, disable=console is None or not is_long)


def _watched(recording: Recording, progress: "Progress", task: str) -> Iterator[Message]:
    """The messages, with a bar of progress through the file."""
    size = recording.path.stat().st_size
    bar = progress.add_task(task, total=size)
    for number, message in enumerate(recording):
        if number % MESSAGES_PER_UPDATE == 0:
            progress.update(bar, completed=recording.bytes_read)
        yield message
    progress.update(bar, completed=size)
