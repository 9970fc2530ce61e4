"""The recipe of a lens."""

from typing import Annotated, Literal

import msgspec

from ...config import Count, NotNegative, OptimiserConfig, Positive, Share
from ...data.augment import AugmentConfig


class HeadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The head. channels: of its two convolutions; hidden: width of the layer before the outputs."""

    channels: Count = 64
    hidden: Count = 96
    dropout: Share = 0.2


class LossConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the parts of the loss.

    ccc:      of 1 − CCC; spread: of the likelihood of the errors' sizes
    emphasis: by unit, as AU17, how much more than another one it counts
    """

    ccc: NotNegative = 0.5
    spread: NotNegative = 0.1
    emphasis: dict[str, Positive] = {}


class CompoundLensRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="lens_compound"
):
    """The lens of compound emotions, of which nothing is trained.

    data: "ferplus" scores it on PublicTest; "none" writes it without figures
    """

    name: str
    version: str
    licence: str
    seed: int = 0
    data: Literal["ferplus", "none"] = "ferplus"


class OcclusionHeadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The head of a map. channels: of its convolutions; dropout: of whole channels while it learns."""

    channels: Count = 32
    dropout: Share = 0.1


class MapLensRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="lens_map"):
    """The lens that says where an answer comes from: real occlusion, distilled.

    data:        "faces" reads `ferplus/` and `videos/` below `--data`; "generated" draws faces
    bundle:      whose answers are explained; "" is the shipped one
    people:      file beside the recipe that says who is in which clip, and in which split
    stills, frames: so many pictures of FER+'s Training part, and frames of clips, are hidden bit by bit to learn from
    watched, reported: so many pictures of PublicTest, and frames of people who are not learned from, to look at while
                 training and to report on
    correlation: weight of 1 − r, the correlation of each map with the real one, beside the squared error
    augment:     every other picture that is learned from is changed so far
    generated:   so many faces are drawn
    """

    name: str
    version: str
    licence: str
    seed: int
    optimiser: OptimiserConfig
    data: Literal["faces", "generated"] = "faces"
    bundle: str = ""
    people: str = ""
    stills: Count = 10000
    frames: Count = 1600
    watched: tuple[Count, Count] = (400, 300)
    reported: tuple[Count, Count] = (1000, 700)
    head: OcclusionHeadConfig = OcclusionHeadConfig()
    correlation: NotNegative = 0.5
    augment: AugmentConfig = AugmentConfig(rotation_deg=10.0, scale=0.12, shift=0.06, dark=0.05, hide=0.0)
    generated: Count = 48


class LensRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="lens"):
    """Everything that defines the run, but for the data's folder.

    licence:  of the weights
    data:     "faces" reads `ferplus/` and `videos/` below `--data`; "generated" draws faces
    bundle:   whose frame encoder is looked through; "" is the shipped one
    people:   file beside the recipe that says who is in which clip, and in which split
    views:    augmented views of every picture, beside it as it is
    videos_share: of the rows of a batch, those from clips
    generated: so many faces are drawn
    """

    name: str
    version: str
    licence: str
    seed: int
    optimiser: OptimiserConfig
    data: Literal["faces", "generated"] = "faces"
    bundle: str = ""
    people: str = ""
    views: Annotated[int, msgspec.Meta(ge=0)] = 2
    videos_share: Share = 0.35
    head: HeadConfig = HeadConfig()
    loss: LossConfig = LossConfig()
    augment: AugmentConfig = AugmentConfig()
    generated: Count = 240
