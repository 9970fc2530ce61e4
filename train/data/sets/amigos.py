"""AMIGOS: 20 s segments of faces as folders of pictures, rated by three external annotators.

    ROOT/amigos.json                                          ratings by subject, stimulus and segment
    ROOT/<group>/P<subject>_<stimulus>_<anything>/<segment>/  image_00001.jpg …, 25 a second

The layout and the rules for labels are those of Foteinopoulou & Patras 2022: a label is the mean over the annotators
after two typing errors of the published spreadsheet are capped.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..records import ClipRecord, LabelledClips, Skips

FPS = 25.0
ANNOTATORS = 3
NOT_A_FACE = "face-0"  # in the names of pictures that the face detector of the data set's authors rejected

SEGMENT_FOLDER = re.compile(r"P(?P<subject>[^_]+)_(?P<stimulus>[^_]+)(_.*)?")

Ratings = dict[str, dict[str, float]]


def load_amigos(root: Path) -> LabelledClips:
    """Every rated segment that has pictures. Labels: valence and arousal.

    Raises:
        DataError: amigos.json is missing or malformed, a rating is no number, or two folders hold the same segment.
    """
    ratings = _read_ratings(root / "amigos.json")
    skips = Skips()
    records: dict[str, ClipRecord] = {}
    folders: dict[str, Path] = {}
    for subject, video, folder in _segments(root):
        key = f"{video}_{folder.name}"
        if key in folders:
            raise DataError(f"{folder}: holds {key}, as {folders[key]} does; keep one of the two")
        folders[key] = folder
        pictures = _pictures(folder)
        if key not in ratings:
            skips.add("without annotation", key)
        elif not ratings[key]:
            skips.add("with an empty label", key)
        elif not pictures:
            skips.add("without a picture", key)
        else:
            end_s = len(pictures) / FPS
            records[key] = ClipRecord(key, video, pictures, 0.0, end_s, subject, "", ratings[key])
    for key in ratings.keys() - folders.keys():
        skips.add("annotated, but without a folder", key)
    return skips.clips(records.values())


def _segments(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Subject, video and folder of each segment, in the order of their names."""
    for folder in sorted(root.glob("*/P*_*/*/")):
        if (names := SEGMENT_FOLDER.fullmatch(folder.parent.name)) is not None:
            yield names["subject"], f"P{names['subject']}_{names['stimulus']}", folder


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(file for file in sorted(folder.glob("*.jpg")) if NOT_A_FACE not in file.name)


def _read_ratings(file: Path) -> Ratings:
    """Sample → its labels, none where the annotation is empty."""
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file}: missing; expected the annotations beside the group folders") from None
    except ValueError as error:
        raise DataError(f"{file}: not JSON ({error})") from None
    ratings: Ratings = {}
    for subject, videos in _table(tree, file, "the file").items():
        for stimulus, video in _table(_inside(videos, "Videos", file, subject), file, f"{subject}.Videos").items():
            where = f"{subject}.Videos.{stimulus}"
            for segment, rated in _table(_inside(video, "Segments", file, where), file, where).items():
                place = f"{where}.Segments.{segment}"
                ratings[f"P{subject}_{stimulus}_{segment}"] = _labels(_table(rated, file, place), file, place)
    return ratings


def _labels(rated: dict[str, Any], file: Path, place: str) -> dict[str, float]:
    if not rated.get("Arousal") or not rated.get("Valence"):
        return {}
    arousal = _numbers(rated["Arousal"], file, f"{place}.Arousal")
    valence = _numbers(rated["Valence"], file, f"{place}.Valence")
    arousal[1] = max(arousal[1], -1.0)
    valence[2] = min(valence[2], 1.0)
    return {"valence": sum(valence) / ANNOTATORS, "arousal": sum(arousal) / ANNOTATORS}


def _numbers(values: Any, file: Path, place: str) -> list[float]:
    is_right = isinstance(values, list) and len(values) == ANNOTATORS
    if not is_right or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise DataError(f"{file}: {place} is {values!r}, expected {ANNOTATORS} numbers, one per annotator")
    return [float(value) for value in values]


def _inside(value: Any, name: str, file: Path, place: str) -> Any:
    return _table(value, file, place).get(name, {})


def _table(value: Any, file: Path, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{file}: {place} is {type(value).__name__}, expected an object")
    return value
