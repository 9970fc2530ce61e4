"""OMG-Emotion: utterances of monologues, each with one gold standard of valence and arousal.

Tables as published: `omg_TrainVideos.csv`, `omg_ValidationVideos.csv`, `omg_TestVideos_WithLabels.csv` with the columns
link, start, end, video, utterance, arousal, valence, EmotionMaxVote. Videos as the data set's own script cuts them: one
file `<video>/<utterance>` each, from `start` to `end` of the video at `link`. Many links are dead by now.
"""

from pathlib import Path

from ..records import ClipRecord, LabelledClips, Skips
from ..tables import TableRow, check_unique, read_table

TABLES = {
    "train": "omg_TrainVideos.csv",
    "valid": "omg_ValidationVideos.csv",
    "test": "omg_TestVideos_WithLabels.csv",
}
COLUMNS = ("link", "start", "end", "video", "utterance", "arousal", "valence")


def load_omg(annotations: Path, videos: Path) -> LabelledClips:
    """Every utterance whose file exists. Labels: valence, and arousal rescaled from [0, 1] to [-1, 1].

    The subject is the link: the parts into which a long video was divided show the same person.

    annotations: folder of the three tables; videos: folder of the cut videos

    Raises:
        DataError: a table is missing or malformed, a number is out of range, or an utterance is listed twice.
    """
    skips = Skips()
    records = []
    seen: dict[str, TableRow] = {}
    for split, name in TABLES.items():
        for row in read_table(annotations / name, COLUMNS):
            record = _record(row, split, videos)
            check_unique(seen, record.key, row)
            if isinstance(record.source, Path) and record.source.is_file():
                records.append(record)
            else:
                skips.add("whose file is missing", record.key)
    return skips.clips(records)


def _record(row: TableRow, split: str, videos: Path) -> ClipRecord:
    video, utterance = row.text("video"), row.text("utterance")
    start_s, end_s = row.number("start", low=0), row.number("end", low=0)
    if end_s <= start_s:
        row.fail(f"the utterance ends at {end_s:g} s, before it starts at {start_s:g} s")
    return ClipRecord(
        key=f"{video}/{utterance}",
        video=video,
        source=videos / video / utterance,
        start_s=0.0,  # the file begins with the utterance
        end_s=None,
        subject=row.text("link"),
        split=split,
        labels={"valence": row.number("valence", -1, 1), "arousal": 2 * row.number("arousal", 0, 1) - 1},
    )
