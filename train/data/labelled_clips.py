"""Clips of one's own, from `clips.csv`, as labelled videos: every frame of a clip carries the clip's labels.

The columns `valence` and `arousal` are needed, in [-1, 1]; columns with the names of the emotions, one share each, are
taken where all are there.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from streamaffect.types import FloatArray

from ..errors import DataError
from .clips_csv import load_clips_csv
from .prepare import FaceShard, read_shard, shard_path, skipped_videos
from .records import ClipRecord
from .stills import EMOTIONS, with_channels
from .videos import LabelledVideo

AFFECT_LABELS = ("valence", "arousal")
TABLE = "clips.csv"


def clip_records(root: Path) -> list[ClipRecord]:
    """The clips of `clips.csv` below `root`, checked.

    Raises:
        DataError: the table is wrong, has no valence and arousal, or one of them is outside [-1, 1].
    """
    records = list(load_clips_csv(root / TABLE).records)
    for record in records:
        for name in AFFECT_LABELS:
            if name not in record.labels:
                raise DataError(
                    f"{root / TABLE}: has no column {name}; this recipe learns {' and '.join(AFFECT_LABELS)}"
                )
            if not -1 <= record.labels[name] <= 1:
                raise DataError(f"{root / TABLE}: {record.key}: {name} is {record.labels[name]:g}, expected -1 to 1")
    return records


def clip_videos(records: list[ClipRecord], root: Path) -> dict[str, Path]:
    """Name → file of every recording that the clips are part of."""
    return {record.video: root / record.video for record in records}


def load_labelled_clips(
    records: list[ClipRecord], shards: Path, split: str, *, colour: bool = False
) -> list[LabelledVideo]:
    """The clips of one split in which a face was found."""
    unreadable = skipped_videos(shards)
    videos = []
    for record in records:
        if record.split != split or record.video in unreadable:
            continue
        shard = shard_path(shards, record.video)
        if not shard.exists():
            raise DataError(f"{shard}: missing; run `python -m train prepare` with the same recipe first")
        video = _cut(record, read_shard(shard), colour=colour)
        if video.pictures:
            videos.append(video)
    return videos


def has_emotions(records: list[ClipRecord]) -> bool:
    """Whether every clip has a share for each emotion."""
    return all(set(EMOTIONS) <= set(record.labels) for record in records)


def _cut(record: ClipRecord, faces: FaceShard, *, colour: bool) -> LabelledVideo:
    """The frames of a clip, of the face that is seen most often in it."""
    end_s = np.inf if record.end_s is None else record.end_s
    within = np.flatnonzero((faces.time_s >= record.start_s) & (faces.time_s < end_s))
    tracks = Counter(faces.tracks[within].tolist())
    main = tracks.most_common(1)[0][0] if tracks else -1
    rows = within[faces.tracks[within] == main]
    affect = np.array([[record.labels[name] for name in AFFECT_LABELS]], np.float32)
    return LabelledVideo(
        name=record.key,
        person=record.subject,
        pictures=[with_channels(faces.crops[row], colour=colour) for row in rows.tolist()],
        time_s=faces.time_s[rows],
        affect=np.repeat(affect, len(rows), axis=0),
        emotions=np.repeat(_shares(record), len(rows), axis=0),
    )


def _shares(record: ClipRecord) -> FloatArray:
    """(1, 8); equal shares where the table has none."""
    shares = np.array([[record.labels.get(emotion, 0.0) for emotion in EMOTIONS]], np.float32)
    total = float(shares.sum())
    return shares / total if total > 0 else np.full_like(shares, 1 / len(EMOTIONS))
