"""The verb `export`: a recording as CSV, Parquet or EmotionML."""

import logging
import sys
from pathlib import Path

from rich.console import Console

from streamaffect.recordings.export import export as write_export
from streamaffect.verbs.interruption import interrupted_by_signals

log = logging.getLogger(__name__)


def export(recording: Path, out: Path, *, stream: str | None, overwrite: bool) -> int:
    """Write the export with a bar of progress, and say what is in it; returns the exit code.

    A signal leaves nothing behind. Raises ConfigError or RecordingError where it cannot be done.
    """
    try:
        with interrupted_by_signals():
            exported = write_export(recording, out, stream=stream, overwrite=overwrite, console=Console(stderr=True))
    except KeyboardInterrupt:
        log.error("%s: interrupted; nothing was written", out)
        return 1
    complaint = "" if exported.complaint is None else f"; of the recording, {exported.complaint}"
    sys.stdout.write(f"{exported.path}: {exported.rows} estimates{complaint}\n")
    return 0
