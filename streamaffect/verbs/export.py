"""The verb `export`: a recording in a format of other tools."""

import logging
import sys
from pathlib import Path

from rich.console import Console

from streamaffect.errors import ConfigError
from streamaffect.recordings.export import Decimal, Subject
from streamaffect.recordings.export import export as write_export
from streamaffect.verbs.signals.interruption import interrupted_by_signals

log = logging.getLogger(__name__)


def export(
    recording: Path,
    out: Path,
    *,
    stream: str | None,
    overwrite: bool,
    decimal: Decimal,
    clean: bool,
    rate: float | None,
    of: Subject,
) -> int:
    """Write the export with a bar of progress, and say what is in it; returns the exit code.

    clean, rate: resample to so many rows per second; one without the other is a mistake
    A signal leaves nothing behind. Raises ConfigError or RecordingError where it cannot be done.
    """
    if clean != (rate is not None):
        raise ConfigError("--clean and --rate HZ go together, e.g. --clean --rate 25: rows per second and face")
    try:
        with interrupted_by_signals():
            exported = write_export(
                recording,
                out,
                stream=stream,
                overwrite=overwrite,
                decimal=decimal,
                rate_hz=rate,
                of=of,
                console=Console(stderr=True),
            )
    except KeyboardInterrupt:
        log.error("%s: interrupted; nothing was written", out)
        return 1
    complaint = "" if exported.complaint is None else f"; of the recording, {exported.complaint}"
    sys.stdout.write(f"{exported.path}: {exported.rows} {exported.unit}{complaint}\n")
    return 0
