"""The recipe of compound emotions by features."""

from typing import Literal

import msgspec

from ...config import Count, OptimiserConfig, Positive, Share
from ...data.sets.c_expr import CLASSES


class CompoundRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="compound"):
    """Everything that defines the run, but for the data's folder.

    data:       "features" reads `train` and `val` below `--data`, each with one (N, T, C) per modality, `lengths` (N,)
                in frames and `labels` (N,); "folds" reads lists and videos there, see `data.sets.c_expr_folds`, and
                makes features of the faces with `encoder`, for a single modality; "drawn" makes sequences whose class
                shows in two modalities together
    inputs:     C of each modality, the leader first. channels: widths of its temporal blocks
    muted:      share of the sequences that are trained on as if there were nothing but the leader
    emotions:   names of the classes
    encoder:    folder of the bundle whose frame encoder made the leader's features; without it, a recipe on features
                ends without a bundle, and one on drawn sequences gets an encoder with random weights
    licence, period_s, past: of the bundle: of its weights, seconds from frame to frame, clips before the newest one
                that have a vote
    longest:    frames of "folds" after which a video is cut
    drawn, drawn_frames: videos and T of "drawn"

    Raises ValueError unless there is a name for every class, and for "folds" one modality and its encoder.
    """

    name: str
    licence: str
    seed: int
    data: Literal["drawn", "features", "folds"]
    classes: Count
    inputs: dict[str, int]
    channels: dict[str, list[int]]
    optimiser: OptimiserConfig
    modal_dim: Count = 32
    heads: Count = 2
    kernel: Count = 5
    dropout: float = 0.1
    muted: Share = 0.1
    emotions: tuple[str, ...] = CLASSES
    encoder: str = ""
    period_s: Positive = 0.04
    past: Count = 2
    longest: Count = 1500
    drawn: Count = 200
    drawn_frames: Count = 30

    def __post_init__(self) -> None:
        """What belongs together."""
        if len(self.emotions) != self.classes:
            raise ValueError(f"classes is {self.classes}, but emotions has {len(self.emotions)} names")
        if self.data == "folds" and (len(self.inputs) != 1 or not self.encoder):
            raise ValueError(f"data is folds, which needs encoder and one modality; found {len(self.inputs)}")
