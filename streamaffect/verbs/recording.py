"""Where a run is recorded, if at all: looked at before a camera is opened, and begun when the streams are known."""

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.messages import Meta
from streamaffect.paths import from_home
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.output_file import output_path
from streamaffect.recordings.parts import named_part
from streamaffect.recordings.writing import check_recording
from streamaffect.service.retention import Retention
from streamaffect.sinks.recorder import Recorder
from streamaffect.sources.parse import file_and_tracks, kind_of, recording_of, split_name

WANTED = "a recording is a file, e.g. session.jsonl"
_TIME = re.compile("%[YmdHMS]")


def recording_path(config: Config) -> Path | None:
    """Where to record; None for a run that is not recorded.

    Raises RecordingError where nothing can be recorded, ConfigError where old ones are to be removed from nowhere.
    """
    if not config.run.record:
        if config.run.keep_days:
            raise ConfigError(
                f"--keep-days {config.run.keep_days:g}: is about the folder of --record, and nothing is recorded; give "
                "--record too, e.g. --record 'recordings/%Y%m%d-%H%M%S.jsonl'"
            )
        return None
    path = output_path(config.run.record, wanted=WANTED)
    check_recording(path, overwrite=config.run.overwrite, inputs=_inputs(config))
    return path


def dated(config: Config) -> Config:
    """The settings with the time of now in the name of the recording, where that has %Y, %m, %d, %H, %M or %S."""
    now = time.localtime()
    name = _TIME.sub(lambda found: time.strftime(found.group(), now), config.run.record)
    return msgspec.structs.replace(config, run=msgspec.structs.replace(config.run, record=name))


def open_retention(config: Config, stack: ExitStack) -> Retention | None:
    """What removes old recordings beside that of the run; None for a run that is not recorded."""
    if not config.run.record:
        return None
    path = from_home(config.run.record)
    retention = Retention(path.parent, config.run.keep_days, spared=[path, *_inputs(config)])
    stack.callback(retention.close)
    return retention


def make_recorder(path: Path, config: Config, metas: Sequence[Meta]) -> Recorder:
    """The recorder of a run with these streams. Raises RecordingError where its file cannot be made."""
    options: dict[str, object] = {
        "faces": msgspec.to_builtins(config.faces),
        "tracker": msgspec.to_builtins(config.tracker),
        "max_seconds": config.run.max_seconds,
        "analysis_fps": config.run.analysis_fps,
    }
    if config.lens.use or config.lens.prompts:  # without any, a recording has the bytes that it always had
        options["lens"] = msgspec.to_builtins(config.lens)
    header = RecordingHeader.of(metas, options=options)
    return Recorder(path, header, overwrite=config.run.overwrite, inputs=_inputs(config))


def _inputs(config: Config) -> list[Path]:
    """The files that the run reads."""
    paths = []
    for source in config.run.sources:
        spec = split_name(source)[1]
        match kind_of(spec):
            case "replay":
                paths.append(named_part(recording_of(spec))[0])
            case "file":
                paths.append(file_and_tracks(spec)[0])
    return paths
