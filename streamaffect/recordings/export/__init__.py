"""Recordings as files for other tools: CSV, Parquet and EmotionML.

Both a provisional estimate and the one that refines it are exported; `refines` tells them apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from streamaffect.errors import ConfigError
from streamaffect.recordings.export.csv import write_csv
from streamaffect.recordings.export.emotionml import write_emotionml
from streamaffect.recordings.export.parquet import require_pyarrow, write_parquet
from streamaffect.recordings.export.table import Table, columns, rows, survey
from streamaffect.recordings.header import is_recording
from streamaffect.recordings.output_file import check_output, output_path, whole_file
from streamaffect.recordings.reading import Recording, read_recording
from streamaffect.types import Message

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Format = Literal["csv", "parquet", "emotionml"]

FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".emotionml": "emotionml",
    ".xml": "emotionml",
}
WANTED = "an export is a file, e.g. session.csv"
PROGRESS_FROM_BYTES = 8 << 20
MESSAGES_PER_UPDATE = 1000

_WRITERS: dict[Format, Callable[[BinaryIO, Table], int]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "emotionml": write_emotionml,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written.

    rows:      estimates in the file
    torn:      True where the recording's last line was incomplete and has been ignored
    complaint: what of the recording is not in it, in words; None where nothing is missing
    """

    path: Path
    rows: int
    torn: bool
    complaint: str | None = None


def export(
    path: str | Path,
    out: str | Path,
    *,
    format: Format | None = None,
    stream: str | None = None,
    overwrite: bool = False,
    console: "Console | None" = None,
) -> Exported:
    """Write the estimates of the recording `path` to `out`; memory does not grow with the recording.

    format:  None takes it from the ending of `out`
    stream:  only this stream; None is all of them
    console: where the progress of a long export is shown; None shows none

    Raises ConfigError for a format or stream that does not exist and where pyarrow is missing, RecordingError where the
    recording cannot be read or `out` cannot be written. After an error there is no new file.
    """
    out = output_path(out, wanted=WANTED)
    chosen = format or _format_of(out)
    if chosen == "parquet":
        require_pyarrow()
    recording = read_recording(path)
    _check_stream(recording, stream)
    if out.exists() and out.samefile(recording.path):
        raise ConfigError(f"{out}: is the recording itself; give another name for the export")
    check_output(out, overwrite=overwrite, inputs=[recording.path], objection=_objection)
    with _progress(recording, console) as progress:
        found = survey(_watched(recording, progress, "reading"), stream)
        with whole_file(out, overwrite=overwrite, inputs=[recording.path]) as file:
            written = _WRITERS[chosen](
                file,
                Table(
                    header=recording.header,
                    columns=columns(found.outputs),
                    rows=rows(_watched(recording, progress, "writing"), stream, start_ns=found.start_ns),
                ),
            )
    return Exported(path=out, rows=written, torn=recording.torn, complaint=recording.complaint)


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


def _check_stream(recording: Recording, stream: str | None) -> None:
    names = [recorded.stream for recorded in recording.header.streams]
    if stream is not None and stream not in names:
        raise ConfigError(f"stream {stream!r}: is not in {recording.path}; it has {', '.join(names)}")


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
