"""Interviews with clinical ratings, as NESS has them: one row per interview, one column per symptom.

    path,subject,N1,N3,N6,total
    visit1/p07.mp4,p07,3,2,4,19

The clinical data sets are not public and each has names of its own, so the columns and the range of each rating are
given by the caller. An interview as a whole carries the ratings.
"""

from collections.abc import Mapping
from pathlib import Path

from ..records import ClipRecord, LabelledClips, Skips
from ..tables import TableRow, check_unique, read_table

Ranges = Mapping[str, tuple[float, float]]


def load_label_table(
    table: Path, videos: Path, ranges: Ranges, *, path_column: str = "path", subject_column: str = "subject"
) -> LabelledClips:
    """Every interview that is rated in full and whose file exists.

    videos: folder to which the paths of the table are relative
    ranges: lowest and highest value of each label, in the order of the model's outputs

    Raises:
        DataError: the table is missing or malformed, a rating is out of range, or an interview is listed twice.
    """
    skips = Skips()
    records = []
    seen: dict[str, TableRow] = {}
    for row in read_table(table, (path_column, subject_column, *ranges)):
        key = row.text(path_column)
        check_unique(seen, key, row)
        if any(row.is_empty(label) for label in ranges):
            skips.add("not rated in full", key)
            continue
        labels = {label: row.number(label, low, high) for label, (low, high) in ranges.items()}
        subject = row.text(subject_column)
        if not (videos / key).is_file():
            skips.add("whose file is missing", key)
            continue
        records.append(ClipRecord(key, key, videos / key, 0.0, None, subject, "", labels))
    return skips.clips(records)
