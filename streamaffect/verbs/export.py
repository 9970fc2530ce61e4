"""The verb `export`: a recording as CSV, Parquet or EmotionML."""

import sys
from pathlib import Path

from rich.console import Console

from streamaffect.recordings.export import export as write_export


def export(recording: Path, out: Path, *, stream: str | None, overwrite: bool) -> int:
    """Write the export with a bar of progress, and say what is in it; returns the exit code.

    Raises ConfigError or RecordingError where it cannot be done.
    """
    exported = write_export(recording, out, stream=stream, overwrite=overwrite, console=Console(stderr=True))
    complaint = "" if exported.complaint is None else f"; of the recording, {exported.complaint}"
    sys.stdout.write(f"{exported.path}: {exported.rows} estimates{complaint}\n")
    return 0
