"""Where a run is recorded, if at all: looked at before a camera is opened, and begun when the streams are known."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from streamaffect.config import Config
from streamaffect.paths import from_home
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.output_file import output_path
from streamaffect.recordings.writing import check_recording
from streamaffect.sinks.recorder import Recorder
from streamaffect.sources.parse import file_and_tracks, kind_of, recording_of, split_name
from streamaffect.types import Meta

WANTED = "a recording is a file, e.g. session.jsonl"


def recording_path(config: Config) -> Path | None:
    """Where to record; None for a run that is not recorded. Raises RecordingError where nothing can be recorded."""
    if not config.run.record:
        return None
    path = output_path(config.run.record, wanted=WANTED)
    check_recording(path, overwrite=config.run.overwrite, inputs=_inputs(config))
    return path


def make_recorder(path: Path, config: Config, metas: Sequence[Meta]) -> Recorder:
    """The recorder of a run with these streams. Raises RecordingError where its file cannot be made."""
    options: dict[str, object] = {
        "faces": msgspec.to_builtins(config.faces),
        "tracker": msgspec.to_builtins(config.tracker),
        "max_seconds": config.run.max_seconds,
        "analysis_fps": config.run.analysis_fps,
    }
    header = RecordingHeader.of(metas, options=options)
    return Recorder(path, header, overwrite=config.run.overwrite, inputs=_inputs(config))


def _inputs(config: Config) -> list[Path]:
    """The files that the run reads."""
    paths = []
    for source in config.run.sources:
        spec = split_name(source)[1]
        match kind_of(spec):
            case "replay":
                paths.append(from_home(recording_of(spec)))
            case "file":
                paths.append(file_and_tracks(spec)[0])
    return paths
