"""The recipe of the joint multimodal transformer."""

from typing import Literal

import msgspec

from ...audiovisual.hearing import HearingConfig
from ...audiovisual.log_mel import PUBLISHED, LogMelConfig
from ...config import Count, OptimiserConfig, Positive, Share

Joint = Literal["self_attention", "fc", "concat", "none"]


class JmtRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="jmt"):
    """Everything that defines the run, but for the data's folder.

    data:        "clips" reads `clips.csv` below `--data` and the videos that it names, with their sound; "aff_wild2"
                 reads Aff-Wild2's folders; "features" reads `train` and `val`, each with `visual` (N, S, V), `audio`
                 (N, S, A), `heard` (N, S) bool and `labels` (N, S, 2), valence and arousal, -5 where there is none;
                 "drawn" makes windows whose valence shows in the face and whose arousal is heard
    bundle:      whose frame and clip encoder are the visual backbone: a folder, "default" for the shipped one, or ""
                 for features of another backbone, from which no bundle can be made
    period_s:    between the frames of a step's clip; the bundle's by default, with "aff_wild2" a sub-clip's
    steps:       S of "clips" and "drawn". every: frames between windows of "aff_wild2", see `load_windows`
    sound:       what a step hears. hearing: the backbone for it
    joint:       see `JointMultimodalTransformer`, as dim, heads and layers
    muted:       share of the windows that are trained on as if nothing were heard
    drawn:       windows of "drawn"
    version, licence: of the bundle
    """

    name: str
    seed: int
    data: Literal["drawn", "features", "clips", "aff_wild2"]
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
    drawn: Count = 200
    version: str = "0.1"
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if self.data != "features" and self.hearing is None:
            raise ValueError(f"data = {self.data!r} needs the table [hearing], the backbone for its sound")
        if self.data in ("clips", "aff_wild2") and not self.bundle:
            raise ValueError(f'data = {self.data!r} needs `bundle`, the visual backbone, such as "default"')
