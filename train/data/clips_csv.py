"""The project's own format for labelled videos: a file `clips.csv`, one clip a row, one column per label.

    path,start_s,end_s,subject,split,valence,arousal
    anna/monday.mp4,0,4.5,anna,train,0.3,-0.1
    bert/monday.mp4,,,bert,test,-0.2,0.4

Paths are relative to the table. Empty times mean the whole file, an empty split none. Every other column is a label.
"""

from pathlib import Path

from ..errors import DataError
from .records import ClipRecord, LabelledClips, Skips
from .tables import TableRow, check_unique, read_table

COLUMNS = ("path", "start_s", "end_s", "subject", "split")
SPLITS = ("", "train", "valid", "test")


def load_clips_csv(table: Path) -> LabelledClips:
    """Every row, checked; a row whose label is empty or whose file is missing is left out and counted.

    Raises:
        DataError: a column is missing, a cell is wrong, a clip is listed twice, or a subject is in two splits. The
            message names file and line.
    """
    rows = read_table(table, COLUMNS)
    labels = [column for column in rows[0].cells if column not in COLUMNS] if rows else []
    if not labels:
        raise DataError(f"{table}: no clip with a label; expected a row, and a column for each label beside "
                        f"{', '.join(COLUMNS)}")  # fmt: skip
    skips = Skips()
    records = []
    seen: dict[str, TableRow] = {}
    subjects: dict[str, TableRow] = {}
    for row in rows:
        record = _record(row, labels, table.parent)
        check_unique(seen, record.key, row)
        _check_split(subjects, row)
        if not record.labels:
            skips.add("without a label", record.key)
        elif isinstance(record.source, Path) and not record.source.is_file():
            skips.add("whose file is missing", record.key)
        else:
            records.append(record)
    return skips.clips(records)


def _record(row: TableRow, labels: list[str], folder: Path) -> ClipRecord:
    path = row.text("path")
    start_s = 0.0 if row.is_empty("start_s") else row.number("start_s", low=0)
    end_s = None if row.is_empty("end_s") else row.number("end_s", low=0)
    if end_s is not None and end_s <= start_s:
        row.fail(f"end_s is {end_s:g}, not after start_s, {start_s:g}")
    if row.cells["split"] not in SPLITS:
        row.fail(f"split is {row.cells['split']!r}, expected train, valid, test or nothing")
    is_labelled = not any(row.is_empty(label) for label in labels)
    return ClipRecord(
        key=f"{path} from {start_s:g} s",
        video=path,
        source=folder / path,
        start_s=start_s,
        end_s=end_s,
        subject=row.text("subject"),
        split=row.cells["split"],
        labels={label: row.number(label) for label in labels} if is_labelled else {},
    )


def _check_split(subjects: dict[str, TableRow], row: TableRow) -> None:
    subject, split = row.cells["subject"], row.cells["split"]
    first = subjects.setdefault(subject, row)
    if first.cells["split"] != split:
        row.fail(f"subject {subject} is in split {split!r}, but in {first.cells['split']!r} in line {first.line}; "
                 "a subject belongs to one split")  # fmt: skip
