"""Videos with a class and a description: the layouts of MAFW, DFEW, FERV39k and AFEW, and a table of one's own.

MAFW     Train_Test_Set/{single,compound}/{with,no}_caption_new/set_<fold>/{train,test}.txt   GBK, separated by tabs
         data/faces/<video>/*.png
DFEW     DFEW_set_<fold>_{train,test}.txt       clip, frames, label; separated by spaces
         DFEW_Frame_Face/<clip>/*.jpg
FERV39k  {train,test}_image.txt                 scene/emotion/clip, frames, label; separated by spaces
         {train,test}_descriptions.json         optional: <scene>_<emotion>_<clip> → caption
         2_ClipsforFaceCrop/<scene>/<emotion>/<clip>/*.jpg
AFEW     AFEW_Face/{train,validation}/<Emotion>/<clip>/*.png
table    described.csv                          path of a video file, split (train or test), label, caption
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ...errors import DataError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
DataSet = Literal["mafw", "dfew", "ferv39k", "afew", "table"]

MAFW_CLASSES = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety", "helplessness",
    "disappointment",
)  # fmt: skip
BASIC_CLASSES = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
# AFEW's folders carry adjectives in some copies.
_NOUNS = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
TABLE = "described.csv"
_COLUMNS = ("path", "split", "label", "caption")


@dataclass(frozen=True, slots=True)
class DescribedVideo:
    """One sample.

    name:    unique in its data set; also the file name of a video, without its ending, where there is one
    source:  the folder of its frames, or a video file
    emotions: names of classes, several for a compound one
    caption: what is seen in this very sample, or None
    """

    name: str
    source: Path
    emotions: tuple[str, ...]
    caption: str | None = None

    @property
    def class_name(self) -> str:
        """The emotions, joined as MAFW does it."""
        return "_".join(self.emotions)


def load_described(
    data_set: DataSet, root: Path, split: Split, *, fold: int = 1, compound: bool = False
) -> list[DescribedVideo]:
    """One split of a data set, in the order of its list; frames are not looked for.

    fold:     1 to 5, of MAFW and DFEW. compound: MAFW's compound classes in place of its single ones

    Raises DataError if a list is missing or a line is not as described.
    """
    if not 1 <= fold <= 5:
        raise DataError(f"{data_set} has the folds 1 to 5, found {fold}")
    if compound and data_set != "mafw":
        raise DataError(f"only mafw has compound classes, found {data_set}")
    readers: Mapping[str, Callable[[], Iterator[DescribedVideo]]] = {
        "mafw": lambda: _mafw(root, split, fold, "compound" if compound else "single"),
        "dfew": lambda: _dfew(root, split, fold),
        "ferv39k": lambda: _ferv39k(root, split),
        "afew": lambda: _afew(root, split),
        "table": lambda: _table(root, split),
    }
    videos = list(readers[data_set]())
    if not videos:
        raise DataError(f"{root}: the {split} part of {data_set} names no video")
    return videos


def class_names(data_set: DataSet, *splits: list[DescribedVideo]) -> list[str]:
    """The classes in the data set's own order; compound ones and those of a table in the order of their names."""
    found = {video.class_name for split in splits for video in split}
    known = _CLASSES.get(data_set, ())
    if found <= set(known):
        return list(known)
    return sorted(found)


_CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"mafw": MAFW_CLASSES, "dfew": BASIC_CLASSES, "ferv39k": BASIC_CLASSES, "afew": BASIC_CLASSES}
)


def _mafw(root: Path, split: Split, fold: int, setting: str) -> Iterator[DescribedVideo]:
    folder = root / "Train_Test_Set" / setting
    lists = [folder / f"{kind}_caption_new" / f"set_{fold}" / f"{split}.txt" for kind in ("with", "no")]
    file = next((path for path in lists if path.exists()), lists[0])
    for number, line in enumerate(_lines(file, encoding="gbk"), start=1):
        columns = line.split("\t")
        emotions = tuple(columns[1].split("_")) if len(columns) > 1 else ()
        if not emotions or not set(emotions) <= set(MAFW_CLASSES):
            raise _wrong(file, number, "a video and its emotions, separated by a tab", line)
        name = columns[0].split(".")[0]
        caption = columns[3].strip() if len(columns) == 4 else ""
        yield DescribedVideo(name, root / "data" / "faces" / name, emotions, caption or None)


def _dfew(root: Path, split: Split, fold: int) -> Iterator[DescribedVideo]:
    for path, emotion in _listed(root / f"DFEW_set_{fold}_{split}.txt"):
        name = path.rpartition("/")[2]
        yield DescribedVideo(name, root / "DFEW_Frame_Face" / name, (emotion,))


def _ferv39k(root: Path, split: Split) -> Iterator[DescribedVideo]:
    captions = _captions(root / f"{split}_descriptions.json")
    for path, emotion in _listed(root / f"{split}_image.txt"):
        place = path.split("/")[-3:]
        name = "_".join(place)
        yield DescribedVideo(name, root.joinpath("2_ClipsforFaceCrop", *place), (emotion,), captions.get(name))


def _afew(root: Path, split: Split) -> Iterator[DescribedVideo]:
    folder = root / "AFEW_Face" / ("validation" if split == "test" else "train")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; AFEW's frames lie in AFEW_Face/{{train,validation}}/<Emotion>")
    for video in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        emotion = video.parent.name.lower()
        emotion = _NOUNS.get(emotion, emotion)
        if emotion not in BASIC_CLASSES:
            raise DataError(f"{video.parent}: is no class of AFEW; expected {', '.join(BASIC_CLASSES)}")
        yield DescribedVideo(f"{emotion}_{video.name}", video, (emotion,))


def _table(root: Path, split: Split) -> Iterator[DescribedVideo]:
    file = root / TABLE
    rows = csv.DictReader(_lines(file))
    if missing := [column for column in _COLUMNS[:3] if column not in (rows.fieldnames or ())]:
        raise DataError(f"{file}: has no column {', '.join(missing)}; expected {', '.join(_COLUMNS)}")
    for row in rows:
        if row["split"] not in ("train", "test") or not row["label"] or not row["path"]:
            raise _wrong(file, rows.line_num, "a path, train or test, and a label", ",".join(map(str, row.values())))
        if row["split"] == split:
            name = Path(row["path"]).with_suffix("").as_posix().replace("/", "_")
            yield DescribedVideo(name, root / row["path"], tuple(row["label"].split("_")), row.get("caption") or None)


def _listed(file: Path) -> Iterator[tuple[str, str]]:
    """Path and emotion of the lines `path frames label`."""
    for number, line in enumerate(_lines(file), start=1):
        columns = line.split()
        if len(columns) != 3 or not columns[2].isdigit() or int(columns[2]) >= len(BASIC_CLASSES):
            raise _wrong(file, number, f"a path, frames, and a label from 0 to {len(BASIC_CLASSES) - 1}", line)
        yield columns[0], BASIC_CLASSES[int(columns[2])]


def _captions(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    try:
        captions = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file}: is no JSON ({error})") from error
    if not isinstance(captions, dict):
        raise DataError(f"{file}: expected an object of captions by clip")
    return {str(clip): str(caption) for clip, caption in captions.items()}


def _lines(file: Path, *, encoding: str = "utf-8") -> list[str]:
    try:
        return [line for line in file.read_text(encoding=encoding).splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); see docs/methods/emoclip.md") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not written in {encoding} ({error.reason})") from error


def _wrong(file: Path, number: int, expected: str, found: str) -> DataError:
    return DataError(f"{file}: line {number}: expected {expected}; found '{found[:80]}'")
