"""Real occlusion: where hiding a part of a face takes the answer away. Slow, and true by definition.

A square of one colour slides over the crop (Zeiler & Fergus 2014). How far the probability of the emotion that was
named falls is the map's value at the square's middle. A picture costs as many encodings as the map has cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.text.regions import SIDE
from streamaffect.types import BoolArray, FloatArray, ImageArray

REACH = 1  # the square hides so many cells on each side of its middle
OCCLUSION = "occlusion"  # among the outputs of an estimate
TOP_SHARE = 0.25  # of the cells, that are hidden to try a map


@dataclass(frozen=True, slots=True)
class Occlusion:
    """What occlusion says of one crop.

    probabilities: (L,) float32 of the crop as it is
    drop:          (SIDE, SIDE) float32, by how much the highest of them falls where that place is hidden; negative
                   where it rises
    """

    probabilities: FloatArray
    drop: FloatArray

    @property
    def emotion(self) -> int:
        """Index of the one with the highest probability."""
        return int(self.probabilities.argmax())

    @property
    def probability(self) -> float:
        """The highest one."""
        return float(self.probabilities.max())


class Occluder:
    """Hides parts of crops and asks a bundle's classification head. A crop is taken as a still."""

    def __init__(self, bundle: Bundle, engine: Engine, head: str = "emotions") -> None:
        self._bundle = bundle
        self._engine = engine
        self._head = head

    def probabilities(self, crops: ImageArray) -> FloatArray:
        """crops (N, S, S, 3) uint8 RGB → (N, L) of the head."""
        observations = [Observation(("still", i), 0.0, crop) for i, crop in enumerate(crops)]
        predictions = Estimator(self._bundle, self._engine).step(observations).predictions
        return np.stack([prediction.heads[self._head] for prediction in predictions])

    def look(self, crop: ImageArray) -> Occlusion:
        """crop (S, S, 3) uint8 RGB → where its answer comes from."""
        cells = [_square(row, column) for row in range(SIDE) for column in range(SIDE)]
        probabilities, drops = self._hide(crop, cells)
        return Occlusion(probabilities, drops.reshape(SIDE, SIDE))

    def drops(self, crop: ImageArray, covers: Sequence[BoolArray]) -> FloatArray:
        """By how much the highest probability falls where each cover (SIDE, SIDE) hides the crop: (len(covers),)."""
        return self._hide(crop, covers)[1]

    def _hide(self, crop: ImageArray, covers: Sequence[BoolArray]) -> tuple[FloatArray, FloatArray]:
        found = self.probabilities(np.stack([crop, *(hidden(crop, cells) for cells in covers)]))
        emotion = int(found[0].argmax())
        return found[0].astype(np.float32), (found[0, emotion] - found[1:, emotion]).astype(np.float32)


def top_cells(cells: FloatArray, share: float = TOP_SHARE) -> BoolArray:
    """The cells of a map (SIDE, SIDE) with the largest values, so large a share of all: (SIDE, SIDE)."""
    flat = np.zeros(cells.size, np.bool_)
    flat[np.argsort(-cells, axis=None, kind="stable")[: round(share * cells.size)]] = True
    return flat.reshape(cells.shape)


def hidden(crop: ImageArray, cells: BoolArray) -> ImageArray:
    """The crop with these cells (SIDE, SIDE) in the mean colour of all of it."""
    size = crop.shape[0]
    edges = np.linspace(0, size, SIDE + 1).round().astype(int)
    covered = crop.copy()
    colour = crop.reshape(-1, 3).mean(axis=0).round()
    for row, column in np.argwhere(cells):
        covered[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = colour
    return covered


def _square(row: int, column: int) -> BoolArray:
    cells = np.zeros((SIDE, SIDE), np.bool_)
    cells[max(0, row - REACH) : row + REACH + 1, max(0, column - REACH) : column + REACH + 1] = True
    return cells
