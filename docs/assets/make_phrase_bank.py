"""Make `streamaffect/prompts/bank.npz` of the phrases in `bank.toml` beside it.

    pip install -e '.[prompts]'
    python docs/assets/make_phrase_bank.py                 # after a change of the phrases
    python docs/assets/make_phrase_bank.py --data faces    # after a change of the model, which is measured anew

The folder holds `ferplus/*.npz`. Every second picture of FER+'s PublicTest that half of the crowd agrees on says how
emotions and units are spread, and from which score on a prompt is true of a face; the others are for reporting.
"""

import argparse
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import cv2
import numpy as np

from benchmarks.measures.prompts.faces import read_rows, unseen_faces
from streamaffect.prompts.bank import BANK, FACES, PHRASES, RIDGE, kernel, read_phrases
from streamaffect.prompts.encoder import embed

STEPS, DAMPING = 50, 0.1  # of Newton, for two numbers
ACTIVE = 0.3  # of the teacher's activation, from which on a unit counts as acting


def main() -> None:
    """Embed the phrases, solve the regression, write the file."""
    options = _options()
    phrases = read_phrases()
    texts = [text for own in phrases.values() for text in own]
    attributes = list(phrases)
    tags = np.array([number for number, own in enumerate(phrases.values()) for _ in own])
    embeddings = embed(texts)
    centre = embeddings.mean(axis=0)
    vectors = embeddings - centre
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    steps = np.abs(vectors).max(axis=1) / 127
    packed = np.round(vectors / steps[:, None]).astype(np.int8)
    known = packed * steps[:, None]
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    truth = np.eye(len(attributes))[tags]
    base = truth.mean(axis=0)
    answers = np.linalg.solve(kernel(known @ known.T) + RIDGE * np.eye(len(tags)), truth - base)
    content = {
        "attributes": np.array(attributes), "tags": tags.astype(np.int8), "vectors": packed,
        "steps": steps.astype(np.float32), "centre": centre, "answers": answers.astype(np.float32),
        "base": base.astype(np.float32), "sha256": np.array(hashlib.sha256(PHRASES.read_bytes()).hexdigest()),
    }  # fmt: skip
    content |= _of_faces(options.data, attributes) if options.data else _kept()
    np.savez_compressed(BANK, **content)
    sys.stdout.write(f"{BANK}: {len(tags)} phrases, {len(attributes)} attributes, {BANK.stat().st_size} bytes\n")


def _kept() -> dict[str, np.ndarray]:
    with np.load(BANK, allow_pickle=False) as old:
        return {name: old[name] for name in FACES}


def _of_faces(data: Path, attributes: list[str]) -> dict[str, np.ndarray]:
    """Mean and scale of each attribute, and the curve from a prompt's sum to its score."""
    faces = unseen_faces(data)[::2]
    values, votes = read_rows(faces, attributes)
    emotions = votes.shape[1]  # the first attributes are those of the votes, in their order
    mean, spread = values.mean(axis=0), values.std(axis=0)
    scale = np.ones_like(spread)
    scale[:emotions] = np.sqrt(spread[:emotions])  # rare ones are not made as large as frequent ones
    scale[:emotions] *= (spread[:emotions] / scale[:emotions]).mean()
    sums = (values[:, :emotions] - mean[:emotions]) / scale[:emotions]
    slope, offset = _logistic(sums.ravel(), (votes == votes.max(axis=1, keepdims=True)).ravel())
    taught = [i for i, face in enumerate(faces) if face.units]
    for place, name in enumerate(attributes):
        if name.startswith("AU") and spread[place] > 0:  # published by the lens: its score is the chance that it acts
            acts = np.array([faces[i].units[int(name.removeprefix("AU"))] >= ACTIVE for i in taught])
            steepness, start = _logistic(values[taught, place], acts)
            scale[place], mean[place] = slope / steepness, (offset - start) / steepness
    return {name: np.asarray(one, np.float32) for name, one in zip(FACES, (mean, scale, (slope, offset)), strict=True)}


def _logistic(values: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the logistic curve that says how often a value is a hit."""
    design = np.stack([values, np.ones_like(values)], axis=1).astype(np.float64)
    curve = np.zeros(2)
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-design @ curve))
        curvature = design.T @ (design * (share * (1 - share))[:, None]) + DAMPING * np.eye(2)
        curve += np.linalg.solve(curvature, design.T @ (hits - share) - DAMPING * curve)
    return float(curve[0]), float(curve[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with ferplus/")
    return parser.parse_args()


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
