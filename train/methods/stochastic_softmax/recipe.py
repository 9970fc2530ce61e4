"""The recipe of temporal stochastic softmax."""

from typing import Annotated, Literal

import msgspec

from ...config import Count, OptimiserConfig, Positive, Share
from ...data.augment import AugmentConfig

Inflation = Literal["average", "centre"]
TimePadding = Literal["zeros", "replicate"]

Sampling = Literal["softmax", "uniform"]

PIXEL_MEAN, PIXEL_STD = 110.0, 60.0


class StochasticSoftmaxRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="stochastic_softmax"
):
    """Everything that defines the run, but for the data's folder.

    data:         "folders" reads `train/` and `val/` below `--data`; "drawn" makes videos that show their class for a
                  share `apex` of `drawn_frames` frames
    valid_share:  of each class's training videos, scored after every epoch; the report is of `val/` either way.
                  With 0 `val/` is scored after every epoch too
    sampling:     "softmax", or "uniform": each start is as likely, in all epochs
    frames:       F. warm_up, exploration: epochs of the sampler's first two phases. beta: of sampler and pooling
    stages, inflation, time_padding, inflate_from, pixel_mean, pixel_std: see `VideoClassifier`
    start_from:   safetensors of a 2D network with these stages, which is inflated; see `load_picture_weights`
    augment:      one change for all frames of a clip; without it there is none
    licence, period_s, past, margin: of the bundle: of its weights, seconds from frame to frame, clips that are pooled
                  before the newest one, and the margin of its crops
    """

    name: str
    licence: str
    seed: int
    data: Literal["drawn", "folders"]
    classes: list[str]
    size: Count
    frames: Count
    stages: list[list[int]]
    optimiser: OptimiserConfig
    sampling: Literal["softmax", "uniform"] = "softmax"
    beta: float = 1.0
    warm_up: int = 3
    exploration: int = 5
    valid_share: Share = 0.0
    inflation: Inflation = "average"
    time_padding: TimePadding = "zeros"
    inflate_from: int = 0
    start_from: str = ""
    pixel_mean: float = PIXEL_MEAN
    pixel_std: Positive = PIXEL_STD
    augment: AugmentConfig | None = None
    period_s: Positive = 0.04
    past: Count = 4
    margin: float = 0.1
    drawn: Count = 200
    drawn_frames: Count = 40
    apex: float = 0.25


class MomentsRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="method", tag="moments"
):
    """The lens `moments`: the pooling over the clip vectors of the shipped bundle.

    data:   "faces" reads `ferplus/` and `videos/` below `--data`; "drawn" draws sequences
    people: file beside the recipe that says who is in which clip, and in which split
    rows:   sequences made of pictures to train on; test_rows: to report on
    hidden: width of the layer before the scores
    warm_up, exploration: epochs of the sampler's first two phases. beta: of sampler and pooling
    """

    name: str
    version: str
    licence: str
    seed: int
    optimiser: OptimiserConfig
    data: Literal["faces", "drawn"] = "faces"
    people: str = ""
    rows: Count = 4000
    test_rows: Count = 1000
    hidden: Count = 64
    warm_up: Count = 3
    exploration: Annotated[int, msgspec.Meta(ge=2)] = 5
    beta: Positive = 1.0
