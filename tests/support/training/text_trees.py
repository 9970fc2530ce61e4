"""Tables in the layouts that the text-based route reads: faces of a video, and small trees of MELD and C-EXPR-DB."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from streamaffect.text.action_units import UNIT_NAMES

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
CLASS_COLUMNS = (
    "Fearfully Surprised", "Happily Surprised", "Sadly Surprised", "Disgustedly Surprised", "Angrily Surprised",
    "Sadly Fearful", "Sadly Angry", "Other",
)  # fmt: skip


def write_table(file: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *rows])
    return file


def face_row(frame: int, score: object = 0.9, **values: object) -> dict[str, object]:
    """A face: units as AU12=0.8 and expressions as happiness=0.7; all others are 0.1."""
    columns = [*(f"AU{unit:02d}" for unit in UNIT_NAMES), *EXPRESSIONS]
    return {"frame": frame, "FaceScore": score, **dict.fromkeys(columns, 0.1), **values}


def write_faces(file: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """With an unnamed column of row numbers, as pandas writes it."""
    numbered = [[number, *row.values()] for number, row in enumerate(rows)]
    return write_table(file, ["", *rows[0]], numbered)


def write_meld(root: Path, part: str, rows: Sequence[tuple[str, str, int, int]]) -> Path:
    """rows: utterance, emotion, dialogue, number."""
    columns = ["Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"]
    lines = [[n, text, "Ann", emotion, "neutral", d, u] for n, (text, emotion, d, u) in enumerate(rows)]
    return write_table(root / f"{part}_sent_emo.csv", columns, lines)


def write_c_expr(root: Path) -> Path:
    """One video, 07, with three clips: two of class 1, then one of class 6; and a clip of Other in video 08."""
    times = ["Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms"]
    happily, angry, other = (["1" if i == shown else "" for i in range(8)] for shown in (1, 6, 7))
    write_table(
        root / "annotation" / "07.csv",
        [*times, *CLASS_COLUMNS],
        [
            ["00:00:00.500", "00:00:04.000", *happily],
            ["00:00:05.000", "00:00:08.000", *angry],
            ["00:01:10.000", "00:01:12.500", *happily],
        ],
    )
    write_table(root / "annotation" / "08.csv", [*times, *CLASS_COLUMNS], [["00:00:00.0", "00:00:01.0", *other]])
    clips = {
        "Happily-Surprised/07_Happily-Surprised_0": 1,
        "Happily-Surprised/07_Happily-Surprised_1": 1,
        "Sadly-Angry/07_Sadly-Angry_0": 6,
        "Other/08_Other_0": 7,
    }
    for part in ("train", "val"):
        file = root / "folds" / "split-0" / f"{part}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name},{label}\n" for name, label in clips.items()))
    for name, label in clips.items():
        shown: dict[str, object] = {"AU12": 0.9} if label == 1 else {"AU04": 0.9}
        write_faces(root / "video_features" / f"{name}.csv", [face_row(frame, **shown) for frame in range(25)])
    write_table(
        root / "hume_features" / "07.csv",
        ["", "name", "score", "start", "end"],
        [
            [0, "Joy", 0.6, 0.0, 2.5],
            [1, "Anger", 0.2, 9.5, 9.9],
            [2, "Joy", 0.3, 9.0, 9.9],
            [3, "Awe", 0.5, 90.0, 91.0],
        ],
    )
    write_table(
        root / "voice_activity" / "07.csv",
        ["", "start", "end", "transcription", "path"],
        [
            [0, 0.2, 2.0, "[' Oh, it\\'s you!']", "07.mp4"],
            [1, 5.5, 7.0, '[" Don\'t."]', "07.mp4"],
            [2, 71.0, 72.0, "Come in", "07.mp4"],
        ],
    )
    write_table(
        root / "processed_audio_features.csv",
        ["", "Arousal", "Dominance", "Valence", "path"],
        [[0, 0.61, 0.5, 1.02, "07.mp4"], [1, 0.4, 0.3, 0.2, "08.mp4"]],
    )
    return root
