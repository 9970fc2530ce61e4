"""The verb `personalise`: from a recording of one person's crops to a lens for that person; and deleting both."""

import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from streamaffect.errors import ConfigError, RecordingError
from streamaffect.personal.adaptation import adapt
from streamaffect.personal.clips import person_clips
from streamaffect.personal.crop_file import delete_crops, read_crops
from streamaffect.personal.lens_file import check_target, delete_personal, personal_file, write_personal
from streamaffect.personal.sources import read_sources
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

LEAST_CROPS = 40  # about 3 s; less says nothing of a person


def personalise(recording: Path | None, out: Path | None, *, bundle: str | None, delete: Sequence[Path]) -> int:
    """Learn the lens and write it to `out`, or delete recordings of crops and lenses; returns the exit code.

    Raises ConfigError, RecordingError, BundleError or LensError where it cannot be done; then nothing is written.
    """
    if delete:
        if recording is not None or out is not None:
            raise ConfigError("--delete: deletes and learns nothing; leave RECORDING and --out away")
        for path in delete:
            (delete_personal if path.is_dir() else delete_crops)(path)
            sys.stdout.write(f"{path}: deleted\n")
        return 0
    if recording is None or out is None:
        raise ConfigError("personalise: give a recording of crops and --out DIR, or --delete PATH")
    _learn(recording, out, bundle)
    return 0


def _learn(recording: Path, out: Path, bundle: str | None) -> None:
    check_target(out)
    base = load_bundle(bundle)
    sources = read_sources(base)
    crops = read_crops(recording, base)
    if len(crops.time_s) < LEAST_CROPS:
        raise RecordingError(
            f"{recording}: {len(crops.time_s)} pictures ({crops.seconds:.1f} s) are too few to know a person by; at "
            f"least {LEAST_CROPS} are needed, and a minute in varied moods is better"
        )
    engine = OnnxRuntimeEngine(base)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("encoding", total=2 * len(crops.time_s))
        clips = person_clips(crops, base, engine, lambda more: progress.advance(task, more))
        progress.update(task, description="fitting")
        adapted = adapt(clips, base, engine, sources)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    file = personal_file(adapted, base, created=now, crops=len(crops.time_s), seconds=crops.seconds)
    path = write_personal(file, out)
    change = ", ".join(f"{name} by {value:.3f}" for name, value in adapted.change.items())
    sys.stdout.write(
        f"{path}: learned from {file.crops} pictures ({file.seconds:g} s), of which {file.confident} were judged with "
        f"confidence. It changes {change} on average. Whether that is better, nobody has told: "
        "docs/methods/subject_msda.md\n"
        f"python run_stream.py --source webcam --lens me={out} shows both; `streamaffect personalise --delete "
        f"{recording} {out}` deletes pictures and lens\n"
    )
