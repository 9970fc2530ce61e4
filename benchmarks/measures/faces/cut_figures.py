"""Whether ids of faces go on where the person does, and end where a cut shows somebody else."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.measures.faces.counts import Count
from benchmarks.measures.faces.scenes import BEFORE, FPS, Frames
from streamaffect.config import Config
from streamaffect.errors import SourceEndedError
from streamaffect.pipeline.opening import make_face_stage
from streamaffect.runtime.bundle import Bundle
from streamaffect.sources.parse import make_source
from streamaffect.types import Frame, Sightings

EARLY = slice(BEFORE - 16, BEFORE - 12)  # frames of a scene in which nothing has happened yet
LATE = slice(-5, None)


def cut_count(part: str, figure: str, scenes: Iterable[Frames], config: Config, bundle: Bundle) -> Count:
    """Wrong: the person after the cut has the id of the one before."""
    ids = list(_ids(scenes, config, bundle))
    return _count(part, figure, ids, sum(bool(before & after) for before, after in ids))


def no_cut_count(part: str, event: str, scenes: Iterable[Frames], config: Config, bundle: Bundle) -> Count:
    """Wrong: the person has a new id after the event, which was no cut."""
    ids = list(_ids(scenes, config, bundle))
    return _count(part, event, ids, sum(not before & after for before, after in ids if before and after))


def whole_clip_count(part: str, files: Iterable[Path], config: Config, bundle: Bundle) -> Count:
    """Frames of whole clips at which a track is lost though a face is in view: at cuts, and where they are mistaken."""
    frames, at = 0, []
    for file in files:
        seen = list(_watch(_read(file, config), config, bundle))
        frames += len(seen)
        at += [f"{file.name}@{one.frame.time_s:.2f}s" for one in seen if one.lost and one.detected]
    return Count(part, "tracks that end with a face in view", len(at), frames, " ".join(at))


def _count(part: str, figure: str, ids: Sequence[tuple[set[int], set[int]]], wrong: int) -> Count:
    shown = sum(bool(before and after) for before, after in ids)
    return Count(part, figure, wrong, shown, f"{len(ids) - shown} without a face at either end")


def _ids(scenes: Iterable[Frames], config: Config, bundle: Bundle) -> Iterator[tuple[set[int], set[int]]]:
    """The ids in each scene, before anything happens and at its end."""
    for scene in scenes:
        seen = [{face.track for face in one.faces if face.visible} for one in _watch(_frames(scene), config, bundle)]
        yield set().union(*seen[EARLY]), set().union(*seen[LATE])


def _frames(scene: Frames) -> Iterator[Frame]:
    for number, image in enumerate(scene):
        yield Frame(image, number, number / FPS, round(number / FPS * 1e9), None)


def _read(file: Path, config: Config) -> Iterator[Frame]:
    source = make_source(str(file), settings=config.source)
    source.open()
    try:
        while True:
            yield source.read()
    except SourceEndedError:
        return
    finally:
        source.close()


def _watch(frames: Iterable[Frame], config: Config, bundle: Bundle) -> Iterator[Sightings]:
    stage = make_face_stage("scene", config, bundle)
    try:
        for frame in frames:
            yield stage.look(frame)
    finally:
        stage.close()
