"""Faces for prompts: crowd votes, a teacher's units, and what the stream gives of emotions and units."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measures.packed_arrays import read_arrays
from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.faces.crop import crop_box
from streamaffect.lenses.finding import open_lenses
from streamaffect.lenses.graph import GraphLens
from streamaffect.lenses.mesh.landmarker import BLENDSHAPES
from streamaffect.prompts.by_phrases import EMOTIONS
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.text.action_units import units_of_blendshapes
from streamaffect.types import Box, FloatArray

WHOLE = Box(0.0, 0.0, 1.0, 1.0)
TRAINING = 0
ROWS = 64
NAMED = 8  # kinds of votes that are emotions


@dataclass(frozen=True, slots=True)
class VotedFace:
    """A picture that was not trained on. data: as packed; votes: (8,) shares; units: a teacher's, empty without."""

    data: np.ndarray
    votes: FloatArray
    units: dict[int, float]


def unseen_faces(root: Path) -> list[VotedFace]:
    """All pictures of `ferplus/*.npz` but those of Training, on whose emotion more than half of the voters agree."""
    files = [file for file in sorted((root / "ferplus").glob("*.npz")) if not file.stem.endswith("_teacher")]
    return [face for file in files for face in _faces(file)]


def read_rows(faces: Sequence[VotedFace], names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """What the shipped bundle and its lens of units give: (N, len(names)), 0 for what neither has; and votes (N, 8)."""
    bundle = load_bundle()
    engine = open_engine(bundle, "onnxruntime", precision="fp32", threads=1)
    lens = GraphLens(open_lenses(["units"], bundle)[0], of="still")
    emotions = [output.name for head in bundle.manifest.heads if head.name == EMOTIONS for output in head.outputs]
    rows = []
    for start in range(0, len(faces), ROWS):
        pictures = [cv2.imdecode(face.data, cv2.IMREAD_COLOR) for face in faces[start : start + ROWS]]
        crops = [
            crop_box(np.asarray(one, np.uint8), WHOLE, bundle.manifest.crop) for one in pictures if one is not None
        ]
        seen = [Observation(("picture", i), 0.0, crop) for i, crop in enumerate(crops)]
        for one in Estimator(bundle, engine, [lens]).step(seen).predictions:
            found = dict(zip(emotions, one.heads[EMOTIONS], strict=True)) | one.lenses["units"].values
            rows.append([float(found.get(name, 0.0)) for name in names])
    engine.close()
    return np.array(rows, np.float32), np.array([face.votes for face in faces], np.float32)


def _faces(file: Path) -> list[VotedFace]:
    packed = read_arrays(file, "webp", "offsets", "votes", "split")
    teacher_file = file.with_name(f"{file.stem}_teacher.npz")
    teacher = read_arrays(teacher_file, "blendshapes", "face_found") if teacher_file.is_file() else {}
    votes = packed["votes"].astype(np.float64)
    agreed = votes[:, :NAMED].max(axis=1) > votes.sum(axis=1) / 2
    unseen = packed["split"] != TRAINING if "split" in packed else np.ones(len(votes), np.bool_)
    faces = []
    for row in np.flatnonzero(agreed & unseen):
        data = packed["webp"][packed["offsets"][row] : packed["offsets"][row + 1]]
        own = votes[row, :NAMED] / votes[row, :NAMED].sum()
        known = bool(teacher) and bool(teacher["face_found"][row])
        units = (
            units_of_blendshapes(dict(zip(BLENDSHAPES, map(float, teacher["blendshapes"][row]), strict=True)))
            if known
            else {}
        )
        faces.append(VotedFace(data, own.astype(np.float32), units))
    return faces
