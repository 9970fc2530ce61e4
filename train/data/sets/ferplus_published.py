"""FER2013 and FER+ as they are published: two tables, row by row of the same pictures, packed for `ferplus.py`.

    ferplus/fer2013.csv      emotion,pixels,Usage                           48 · 48 numbers from 0 to 255 a row
    ferplus/fer2013new.csv   Usage,Image name,neutral,happiness,…,unknown,NF    ten votes a row

A row without an image name is one that the authors of FER+ removed. The PrivateTest rows are left out: nothing here may
learn from them, nor choose by them.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from streamaffect.types import ImageArray

from ...errors import DataError
from ..stills import EMOTIONS
from .ferplus import PACKED, PUBLIC_TEST, TEACHER, TRAINING

PIXELS, VOTES = "fer2013.csv", "fer2013new.csv"
SPLITS = {"Training": TRAINING, "PublicTest": PUBLIC_TEST}
PRIVATE = "PrivateTest"
VOTE_NAMES = (*EMOTIONS, "unknown", "NF")
SIDE = 48
LOSSLESS = 101  # of OpenCV's WebP qualities


def pack_published(root: Path) -> str | None:
    """Write `ferplus/ferplus_train_valid.npz` from the published tables, where it does not exist and they do.

    Returns what was found and left out, and what is lacking; None where there is nothing to do.

    Raises:
        DataError: a table is not as published, or the two do not belong together.
    """
    folder = root / "ferplus"
    if (folder / PACKED).exists() or not (folder / PIXELS).exists():
        return None
    left_out: Counter[str] = Counter()
    webp, votes, splits, rows = [], [], [], []
    for row, (pixels, vote) in enumerate(_pairs(folder)):
        where = f"{folder / VOTES}:{row + 2}"
        if (usage := vote["Usage"]) == PRIVATE:
            left_out[f"of {PRIVATE}"] += 1
        elif usage not in SPLITS:
            raise DataError(f"{where}: Usage is {usage!r}, expected {', '.join(SPLITS)} or {PRIVATE}")
        elif not vote["Image name"]:
            left_out["that FER+ removed"] += 1
        else:
            webp.append(_encoded(pixels["pixels"], f"{folder / PIXELS}:{row + 2}"))
            votes.append([_count(vote[name], name, where) for name in VOTE_NAMES])
            splits.append(SPLITS[usage])
            rows.append(row)
    if not rows:
        raise DataError(f"{folder / VOTES}: no row of {' or '.join(SPLITS)} has an image name")
    _write(folder / PACKED, webp, votes=votes, split=splits, fer_index=rows)
    told = [f"{len(rows)} pictures packed", *(f"{count} left out {why}" for why, count in left_out.items())]
    if not (folder / TEACHER).exists():
        told.append("no teacher's labels: train on votes alone (data.votes_share and data.clip_votes_share 1, "
                    "frame.loss.guidance 0), as configs/train/relational/public.toml does")  # fmt: skip
    return "; ".join(told)


def _pairs(folder: Path) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The rows of both tables, side by side."""
    with _opened(folder / PIXELS) as pictures, _opened(folder / VOTES) as votes:
        first = _checked(csv.DictReader(pictures), folder / PIXELS, ("pixels", "Usage"))
        second = _checked(csv.DictReader(votes), folder / VOTES, ("Usage", "Image name", *VOTE_NAMES))
        try:
            for number, (pixels, vote) in enumerate(zip(first, second, strict=True), start=2):
                if pixels["Usage"] != vote["Usage"]:
                    raise DataError(f"{folder / VOTES}:{number}: Usage is {vote['Usage']!r}, but {pixels['Usage']!r} "
                                    f"in the same row of {PIXELS}; the tables do not belong together")  # fmt: skip
                yield pixels, vote
        except ValueError:
            raise DataError(f"{folder}: {PIXELS} and {VOTES} differ in their number of rows; "
                            "the tables do not belong together") from None  # fmt: skip


def _opened(file: Path) -> TextIO:
    try:
        return file.open(newline="", encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{file}: missing; FER+ consists of {PIXELS} and {VOTES}, as published") from None


def _checked(table: "csv.DictReader[str]", file: Path, columns: tuple[str, ...]) -> "csv.DictReader[str]":
    found = table.fieldnames or []
    if missing := [name for name in columns if name not in found]:
        raise DataError(f"{file}:1: no column {missing[0]!r}; found {', '.join(found) or 'an empty file'}")
    return table


def _encoded(text: str, where: str) -> ImageArray:
    try:
        values = np.array(text.split(), np.int64)
    except ValueError:
        raise DataError(f"{where}: pixels are no numbers") from None
    if len(values) != SIDE * SIDE or values.min() < 0 or values.max() > 255:
        raise DataError(f"{where}: {len(values)} pixels, expected {SIDE * SIDE} numbers from 0 to 255")
    picture = values.astype(np.uint8).reshape(SIDE, SIDE)
    _, data = cv2.imencode(".webp", picture, (cv2.IMWRITE_WEBP_QUALITY, LOSSLESS))
    return np.asarray(data, np.uint8)


def _count(text: str, name: str, where: str) -> int:
    if not text.isdecimal() or int(text) > np.iinfo(np.uint8).max:
        raise DataError(f"{where}: {name} is {text!r}, expected a number of votes")
    return int(text)


def _write(file: Path, webp: list[ImageArray], **columns: list[int] | list[list[int]]) -> None:
    partial = file.with_suffix(".partial.npz")
    np.savez(
        partial,
        webp=np.concatenate(webp),
        offsets=np.cumsum([0, *(len(data) for data in webp)]),
        votes=np.array(columns["votes"], np.uint8),
        vote_names=np.array(VOTE_NAMES),
        split=np.array(columns["split"], np.uint8),
        fer_index=np.array(columns["fer_index"], np.int32),
    )
    partial.replace(file)
