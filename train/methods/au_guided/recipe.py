"""The recipe of action-unit guidance."""

from typing import Annotated, Literal

import msgspec

from ...config import Count, OptimiserConfig

AlignmentKind = Literal["cosine", "std_cosine", "l1", "l2", "kl"]
Channels = Literal["all", "left", "right", "first", "random"]


class AuGuidedRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="au_guided"):
    """Everything that defines the run, but for the data's folder.

    data:      "folds" reads the parts `train` and `valid` of `folds/<data_set>` below `--data`; "drawn" makes faces
    size:      side of the pictures. widths, depths: of the trunk
    alignment: weight of the alignment loss; 0 trains the plain classifier
    alignment_kind, channels, share: see `au_alignment_loss`
    licence:   of the weights, for the bundle
    """

    name: str
    licence: str
    seed: int
    data: Literal["drawn", "folds"]
    size: Count
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    alignment: Annotated[float, msgspec.Meta(ge=0)]
    optimiser: OptimiserConfig
    alignment_kind: AlignmentKind = "cosine"
    channels: Channels = "all"
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    data_set: str = ""
    train: str = "train"
    valid: str = "val"
    drawn: Count = 1000
