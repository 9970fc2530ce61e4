"""Videos of compound emotions with a class each: the published lists, and the annotation they were cut by.

<folds>/{train,val,test}.txt     <path>,<class>,<transcript>    one line per video, its path without the file's ending
<folds>/class_id.yaml            Happily Surprised: 1           one line per class
<annotation>/<video>.csv         begin, end (hours:minutes:seconds) and a column for each class, 1 where it is shown

In C-EXPR-DB a path is `<Class-Name>/<video>_<Class-Name>_<k>`: what the k-th line of that class, from 0, cuts out of
the video. In MELD it is `<part>/dia<D>_utt<U>`, a file as published. Lists of the text-based code have no transcript.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import DataError
from ..records import ClipRecord, LabelledClips, Skips
from ..tables import TableRow, read_table

BEGIN, END = "Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms"
SHOWN = ("1", "1.0")
LABEL = "class"
SUFFIXES = (".mp4", ".avi", ".mkv")

FoldPart = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """A line of a list. path: without ending, the folder first; transcript: "" where the list has none."""

    path: str
    label: int
    transcript: str


@dataclass(frozen=True, slots=True)
class AnnotatedClip:
    """What one line of an annotation cuts out of its video. path: the name it is trimmed to, without ending."""

    path: str
    emotion: str
    start_s: float
    end_s: float


def load_classes(folds: Path) -> tuple[str, ...]:
    """The names of `class_id.yaml`, in the order of their numbers 0, 1, …; raises DataError if one is missing."""
    file = folds / "class_id.yaml"
    pairs = [line.rpartition(":") for line in _text(file).splitlines() if line.strip()]
    try:
        names = {int(number): name.strip().strip("'\"") for name, _, number in pairs}
    except ValueError as error:
        raise DataError(f"{file}: expected lines such as Happily Surprised: 1 ({error})") from error
    if not names or sorted(names) != list(range(len(pairs))):
        raise DataError(f"{file}: expected the numbers 0 to {len(pairs) - 1}, once each; found {sorted(names)}")
    return tuple(names[number] for number in range(len(names)))


def load_fold(folds: Path, part: FoldPart) -> list[ListedVideo]:
    """The videos of one part, in the order of the list.

    On C-EXPR-DB the published validation and test lists hold the same videos.

    Raises DataError if the list is missing or empty, a line is not as described, or a path is listed twice.
    """
    file = folds / f"{part}.txt"
    lines = list(enumerate(_text(file).splitlines(), start=1))
    videos = [_video(line, f"{file}:{number}") for number, line in lines if line.strip()]
    if not videos:
        raise DataError(f"{file}: lists no video")
    path, times = Counter(video.path for video in videos).most_common(1)[0]
    if times > 1:
        raise DataError(f"{file}: {path} is listed {times} times")
    return videos


def load_annotation(file: Path, classes: tuple[str, ...]) -> list[AnnotatedClip]:
    """All clips of one video, in the order of its lines and, within a line, of the classes.

    Raises DataError if the table is missing, lacks a column, or a time is wrong.
    """
    seen: Counter[str] = Counter()
    clips = []
    for row in read_table(file, (BEGIN, END, *classes)):
        start_s, end_s = time_s(row, BEGIN), time_s(row, END)
        if end_s <= start_s:
            row.fail(f"ends at {row.cells[END]}, not after its begin at {row.cells[BEGIN]}")
        for emotion in (name for name in classes if row.cells[name] in SHOWN):
            name = emotion.replace(" ", "-")
            clips.append(AnnotatedClip(f"{name}/{file.stem}_{name}_{seen[name]}", emotion, start_s, end_s))
            seen[name] += 1
    return clips


def time_s(row: TableRow, column: str) -> float:
    """A cell hours:minutes:seconds of an annotation; raises DataError where it is none."""
    try:
        hours, minutes, seconds = row.text(column).split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        row.fail(f"{column} is {row.cells[column]!r}, expected hours:minutes:seconds")


def fold_clips(
    listed: list[ListedVideo], videos: Path, annotation: Path | None, classes: tuple[str, ...]
) -> LabelledClips:
    """Where each listed video is: a trimmed file below `videos`, or a stretch of a whole one by the annotation.

    Those that are neither are left out, with an account. label "class": the number of the list.

    Raises DataError as `load_annotation`.
    """
    skips, records = Skips(), []
    for video in listed:
        whole = video.path.rpartition("/")[2].rsplit("_", 2)[0]
        if (file := _file(videos, video.path)) is not None:
            start_s, end_s = 0.0, None
        elif annotation is not None and (file := _file(videos, whole)) is not None:
            cut = {clip.path: clip for clip in load_annotation(annotation / f"{whole}.csv", classes)}
            if video.path not in cut:
                skips.add("not in the annotation of its video", video.path)
                continue
            start_s, end_s = cut[video.path].start_s, cut[video.path].end_s
        else:
            skips.add("no file of it", video.path)
            continue
        labels = {LABEL: float(video.label)}
        records.append(ClipRecord(video.path, whole, file, start_s, end_s, whole, "", labels))
    return skips.clips(records)


def _file(videos: Path, path: str) -> Path | None:
    return next((file for suffix in SUFFIXES if (file := videos / f"{path}{suffix}").is_file()), None)


def _video(line: str, where: str) -> ListedVideo:
    """A transcript may hold commas and stands without quotation marks."""
    path, _, rest = line.partition(",")
    label, _, transcript = rest.partition(",")
    if not path.strip() or not label.strip().isdecimal():
        raise DataError(f"{where}: expected '<path>,<class>,<transcript>', found '{line}'")
    return ListedVideo(path.strip(), int(label), transcript.strip())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); see docs/methods/compound.md") from error
