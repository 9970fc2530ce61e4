"""Labelled pictures of single faces, and their order within an epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamaffect.types import FloatArray, ImageArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


@dataclass(frozen=True, slots=True)
class Stills:
    """Faces with soft labels.

    pictures: grey (H, W), or for encoders that see colour RGB (H, W, 3), uint8, in the framing of the runtime's crops
    emotions: (N, 8) float32 shares in the order of EMOTIONS, each row sums to 1
    affect:   (N, 2) float32 valence and arousal in [-1, 1]
    shown:    (N,) float32 share of the picture's side that the runtime's crop shows; the rest is for augmentation
    names:    one per picture, for messages and for splits by person
    guidance: (N, GUIDES) float32 targets beside the labels, NaN where unknown (`guidance.py`); None: there are none
    """

    pictures: list[ImageArray]
    emotions: FloatArray
    affect: FloatArray
    shown: FloatArray
    names: list[str]
    guidance: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Sequence[int] | np.ndarray) -> "Stills":
        """The pictures of these rows."""
        index = np.asarray(rows, np.int64)
        return Stills(
            [self.pictures[row] for row in index], self.emotions[index], self.affect[index], self.shown[index],
            [self.names[row] for row in index], None if self.guidance is None else self.guidance[index],
        )  # fmt: skip


def with_channels(picture: ImageArray, *, colour: bool) -> ImageArray:
    """A grey (H, W) or RGB (H, W, 3) picture as the encoder wants it: RGB in colour, else grey."""
    if (picture.ndim == 3) == colour:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB if colour else cv2.COLOR_RGB2GRAY), np.uint8)


def concatenate(sets: Sequence[Stills]) -> Stills:
    """All sets as one, in order."""
    return Stills(
        [picture for part in sets for picture in part.pictures],
        np.concatenate([part.emotions for part in sets]),
        np.concatenate([part.affect for part in sets]),
        np.concatenate([part.shown for part in sets]),
        [name for part in sets for name in part.names],
        _all_guidance(sets),
    )


def _all_guidance(sets: Sequence[Stills]) -> FloatArray | None:
    """Unknown for the sets that have none; None where no set has any."""
    width = max((part.guidance.shape[1] for part in sets if part.guidance is not None), default=0)
    if width == 0:
        return None
    unknown = (np.full((len(part), width), np.nan, np.float32) for part in sets)
    return np.concatenate(
        [other if part.guidance is None else part.guidance for part, other in zip(sets, unknown, strict=True)]
    )


def balance_weights(emotions: FloatArray, power: float) -> FloatArray:
    """(N, 8) shares → (N,) sampling weights with mean 1 that show rare emotions more often.

    power: 0 leaves the data as it is, 1 would give each emotion the same total share
    """
    share = emotions.mean(axis=0)
    weights = emotions @ (share.clip(1e-4) ** -power)
    return np.asarray(weights / weights.mean(), np.float32)


def epoch_order(weights: FloatArray, *, seed: int, epoch: int) -> np.ndarray:
    """(N,) weights → (sum of weights,) shuffled rows; a row of weight w comes floor(w) or ceil(w) times.

    Systematic sampling: one random offset for the whole epoch, so that nothing is left out by bad luck.
    """
    generator = np.random.default_rng([seed, epoch])
    ends = np.cumsum(weights, dtype=np.float64)
    count = round(float(ends[-1]))
    points = (np.arange(count) + generator.random()) * (ends[-1] / count)
    rows = np.searchsorted(ends, points, side="right").clip(max=len(weights) - 1)
    return np.asarray(generator.permutation(rows))
