"""The recipe of the joint multimodal transformer."""

from typing import Literal

import msgspec

from ...audiovisual.hearing import HearingConfig
from ...audiovisual.log_mel import PUBLISHED, LogMelConfig
from ...audiovisual.pair_steps import PairsConfig
from ...config import Count, NotNegative, OptimiserConfig, Positive, Share

Joint = Literal["self_attention", "fc", "concat", "none"]


class JmtRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="jmt"):
    """Everything that defines the run, but for the data's folder.

    data:        "clips" reads `clips.csv` below `--data` and the videos that it names, with their sound; "aff_wild2"
                 reads Aff-Wild2's folders; "features" reads `train` and `val`, each with `visual` (N, S, V), `audio`
                 (N, S, A), `heard` (N, S) bool and `labels` (N, S, 2), valence and arousal, -5 where there is none;
                 "drawn" makes windows whose valence shows in the face and whose arousal is heard; "pairs" puts voices
                 beside faces of the same emotion, see `train.audiovisual.pairs`, and hears by prosody
    bundle:      whose frame and clip encoder are the visual backbone: a folder, "default" for the shipped one, or ""
                 for features of another backbone, from which no bundle can be made
    period_s:    between the frames of a step's clip; the bundle's by default, with "aff_wild2" a sub-clip's
    steps:       S of "clips" and "drawn". every: frames between windows of "aff_wild2", see `load_windows`
    sound:       what a step hears. hearing: the backbone for it
    joint:       see `JointMultimodalTransformer`, as dim, heads, layers and positions
    muted:       share of the windows that are trained on as if nothing were heard
    hidden:      share of the steps that are trained on as if the face were hidden; hidden_steps: how many of them
                 follow one another, on average
    noise:       what is added to the voice's features while training, in standard deviations, for other microphones;
                 offset: what is added to all steps of a window alike, for other speakers
    learns:      from "all" steps of a window, or from its "last" one alone, which is what a stream reads
    pairs:       of "pairs"
    drawn:       windows of "drawn"
    version, licence: of the bundle; credits: whose data it has learned from, for its card
    """

    name: str
    seed: int
    data: Literal["drawn", "features", "clips", "aff_wild2", "pairs"]
    dim: Count
    optimiser: OptimiserConfig
    hearing: HearingConfig | None = None
    sound: LogMelConfig = PUBLISHED
    bundle: str = ""
    period_s: Positive | None = None
    steps: Count = 16
    every: Count = 1
    joint: Joint = "self_attention"
    heads: Count = 1
    layers: Count = 1
    dropout: Share = 0.0
    muted: Share = 0.1
    hidden: Share = 0.0
    hidden_steps: Count = 12
    noise: NotNegative = 0.0
    offset: NotNegative = 0.0
    positions: Literal["none", "sinusoidal"] = "none"
    learns: Literal["all", "last"] = "all"
    pairs: PairsConfig | None = None
    drawn: Count = 200
    version: str = "0.1"
    licence: str = "not stated"
    credits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.data not in ("features", "pairs") and self.hearing is None:
            raise ValueError(f"data = {self.data!r} needs the table [hearing], the backbone for its sound")
        if self.data == "pairs" and self.pairs is None:
            raise ValueError('data = "pairs" needs the table [pairs]')
        if self.data in ("clips", "aff_wild2", "pairs") and not self.bundle:
            raise ValueError(f'data = {self.data!r} needs `bundle`, the visual backbone, such as "default"')
