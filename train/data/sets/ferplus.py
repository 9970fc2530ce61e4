"""FER+: 48 × 48 grey faces with ten crowd votes each, stored as one npz of pictures and one of a teacher's labels.

`ferplus_published.py` makes the first of the two from the published tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from streamaffect.types import BoolArray, FloatArray, ImageArray

from ...errors import DataError
from ..guidance import guidance
from ..stills import EMOTIONS, Stills, with_channels

TRAINING, PUBLIC_TEST = 0, 1
TEACHER_ARRAYS = ("teacher_va", "teacher_probs", "blendshapes", "face_found")
PACKED, TEACHER = "ferplus_train_valid.npz", "ferplus_train_valid_teacher.npz"

# Valence and arousal of each of EMOTIONS: Russell and Mehrabian (1977); neutral is the origin, contempt a guess.
CIRCUMPLEX = (
    (0, 0),
    (0.81, 0.51),
    (0.4, 0.67),
    (-0.63, -0.27),
    (-0.51, 0.59),
    (-0.6, 0.35),
    (-0.64, 0.6),
    (-0.5, 0.25),
)
LEAST_EMOTION_SHARE = 0.5  # of the votes; the rest are for "unknown" and "no face"


@dataclass(frozen=True, slots=True)
class FerPlus:
    """One split, without the pictures that most voters could not name.

    stills:   pictures with the vote shares and their projection on valence and arousal
    teacher:  the same pictures with the teacher's labels, or once more the votes where the teacher was not asked
    is_clear: (N,) one emotion has more than half of all votes
    """

    stills: Stills
    teacher: Stills
    is_clear: BoolArray


def load_ferplus(root: Path, split: int, *, colour: bool = False, taught: bool = True) -> FerPlus:
    """Read `ferplus/ferplus_train_valid.npz` and, if `taught`, its teacher's labels.

    colour: grey pictures in three equal channels
    FER2013 repeats pictures: those of the Training split that equal one of PublicTest byte by byte are left out.
    """
    packed = _read(root / "ferplus" / PACKED, "webp", "offsets", "votes", "split")
    votes = packed["votes"].astype(np.float32)
    shares = votes[:, : len(EMOTIONS)] / votes.sum(axis=1, keepdims=True).clip(1)
    rows = np.flatnonzero((packed["split"] == split) & (shares.sum(axis=1) > LEAST_EMOTION_SHARE))
    pictures = _decode(packed["webp"], packed["offsets"], rows)
    if split == TRAINING:
        held_out = np.flatnonzero(packed["split"] == PUBLIC_TEST)
        known = {picture.tobytes() for picture in _decode(packed["webp"], packed["offsets"], held_out)}
        kept = [at for at, picture in enumerate(pictures) if picture.tobytes() not in known]
        rows, pictures = rows[kept], [pictures[at] for at in kept]
    names = [f"ferplus/{row}" for row in rows.tolist()]
    voted = _normalise(shares[rows])
    projected = np.asarray(voted @ np.array(CIRCUMPLEX, np.float32), np.float32)
    pictures = [with_channels(picture, colour=colour) for picture in pictures]
    stills = Stills(pictures, voted, projected, np.ones(len(rows), np.float32), names)
    teacher = _as_taught(stills, root / "ferplus" / TEACHER, rows) if taught else stills
    return FerPlus(stills, teacher, is_clear=np.asarray(shares[rows].max(axis=1) > 0.5))


def blendshapes_of(root: Path, names: Sequence[str]) -> tuple[FloatArray, BoolArray]:
    """The teacher's 52 blendshapes (N, 52) of pictures by their names in `Stills`, and if it found a face (N,)."""
    labels = _read(root / "ferplus" / TEACHER, "blendshapes", "face_found")
    rows = np.array([int(name.rpartition("/")[2]) for name in names])
    return _float(labels["blendshapes"], rows), np.asarray(labels["face_found"][rows], np.bool_)


def blend(votes: Stills, teacher: Stills, votes_share: float) -> Stills:
    """The same pictures with labels between the crowd's and the teacher's: ten votes are noisy, a teacher is biased."""
    teacher_share = 1 - votes_share
    return Stills(
        votes.pictures,
        votes_share * votes.emotions + teacher_share * teacher.emotions,
        votes_share * votes.affect + teacher_share * teacher.affect,
        votes.shown,
        votes.names,
        teacher.guidance,
    )


def _as_taught(stills: Stills, file: Path, rows: np.ndarray) -> Stills:
    """The same pictures with the teacher's labels."""
    labels = _read(file, *TEACHER_ARRAYS)
    emotions, affect = _normalise(_float(labels["teacher_probs"], rows)), _float(labels["teacher_va"], rows)
    guides = guidance(affect, emotions, labels["blendshapes"][rows], labels["face_found"][rows])
    return Stills(stills.pictures, emotions, affect, stills.shown, stills.names, guides)


def _read(file: Path, *names: str) -> dict[str, np.ndarray]:
    if not file.is_file():
        alone = "; votes alone do with data.votes_share and data.clip_votes_share 1 and frame.loss.guidance 0"
        raise DataError(
            f"{file}: missing; --data takes the folder that holds ferplus/{alone if file.name == TEACHER else ''}"
        )
    with np.load(file, allow_pickle=False) as arrays:  # each access to a member reads it from disk again
        return {name: arrays[name] for name in names}


def _decode(webp: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> list[ImageArray]:
    grey = cv2.IMREAD_GRAYSCALE
    return [np.asarray(cv2.imdecode(webp[offsets[row] : offsets[row + 1]], grey), np.uint8) for row in rows]


def _normalise(shares: FloatArray) -> FloatArray:
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _float(values: np.ndarray, rows: np.ndarray) -> FloatArray:
    return np.asarray(values[rows], np.float32)
