"""The recipe of the default model: one TOML file, read into typed values."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from streamaffect.runtime.manifest import ClipSpec, ContextSpec, CropSpec

from ...config import Count, OptimiserConfig, Precision, Share, read_recipe
from ...data.augment import AugmentConfig


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which data, and how much of it in an epoch.

    kind:             "faces" reads FER+, LFW and the labelled videos below `--data`; "clips" reads `clips.csv` there;
                      "generated" draws simple faces
    people:           CSV of file, person, split for the videos with a teacher's labels, beside the recipe; "": the
                      videos are those of `clips.csv`
    votes_share:      weight of the crowd's votes against the teacher's labels in stage 1
    clip_votes_share: the same in stage 2
    balance:          see `stills.balance_weights`
    lfw, videos:      how often each picture of these comes in an epoch, on average; 0: never
    generated:        number of drawn faces
    """

    kind: Literal["faces", "clips", "generated"] = "faces"
    people: str = ""
    votes_share: Share = 0.7
    clip_votes_share: Share = 1.0
    balance: Share = 0.0
    lfw: float = 1.0
    videos: float = 0.5
    generated: Count = 2000


class LossConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weight of each part of the loss.

    guidance: squared distance to what a teacher saw (`data/guidance.py`); stage 1 alone
    """

    cross_entropy: float = 1.0
    ccc: float = 1.0
    mse: float = 1.0
    relational: float = 0.0
    spread: float = 0.0
    guidance: float = 0.0


class PretrainedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vision model of Hugging Face `transformers`.

    name:     on the hub, or a local folder; revision: of it on the hub
    pixels:   side to which crops are resized inside the graph; 0: as they are, or what the model is bound to
    """

    name: str
    revision: str = ""
    pixels: Annotated[int, msgspec.Meta(ge=0)] = 0


class FrameConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The frame encoder and its training on stills.

    widths, depths: of our small encoder, which sees grey; or `pretrained`: another one, which sees colour
    start_from:     folder of a finished run, or of a bundle, whose frame encoder this one continues; of the same shape
    keep_start:     the encoder that is used is a mean of the one it started from, with this share, and the trained one
                    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models")
    """

    dim: Count
    dropout: Share
    optimiser: OptimiserConfig
    widths: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    pretrained: PretrainedConfig | None = None
    loss: LossConfig = LossConfig()
    augment: AugmentConfig = AugmentConfig()
    start_from: str = ""
    keep_start: Share = 0.0

    def __post_init__(self) -> None:
        if (self.pretrained is None) == (not self.widths) or len(self.widths) != len(self.depths):
            raise ValueError("Expected either widths and depths of one length, or a table `pretrained`")
        if self.keep_start > 0 and not self.start_from:
            raise ValueError("Expected `start_from` beside `keep_start`: it names the weights that are kept in part")

    @property
    def colour(self) -> bool:
        """Whether the encoder sees colour."""
        return self.pretrained is not None


class ClipConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clip encoder, context attention and heads, trained on features of the finished frame encoder.

    heads, layers, feedforward: of the clip encoder's transformer
    views:                      augmented versions of each picture whose features are kept, beside the plain ones
    videos_share:               of each batch; the rest are stills as clips of equal frames
    batches_per_epoch:          each of `optimiser.batch` clips
    circumplex_share:           of valence and arousal that is read from the emotions' places on the circumplex, see
                                `AffectModel`
    """

    heads: Count
    layers: Count
    feedforward: Count
    views: Count
    videos_share: Share
    batches_per_epoch: Count
    optimiser: OptimiserConfig
    loss: LossConfig = LossConfig()
    augment: AugmentConfig = AugmentConfig()
    circumplex_share: Share = 0.0

    def __post_init__(self) -> None:
        if self.circumplex_share > 0 and self.loss.cross_entropy == 0:
            raise ValueError(
                "Expected `loss.cross_entropy` above 0 beside `circumplex_share`: without it no emotions are learned"
            )


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="relational"):
    """Everything that defines a bundle, but for the data's folder."""

    name: str
    version: str
    licence: str
    seed: int
    crop: CropSpec
    clip: ClipSpec
    context: ContextSpec
    abstain_below: Share
    data: DataConfig
    frame: FrameConfig
    temporal: ClipConfig
    precision: Precision = "32-true"


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe of the default model. Raises ConfigError, see `train.config.read_recipe`."""
    return read_recipe(path, Recipe)
