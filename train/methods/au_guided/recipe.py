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


class AlignedLensRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="au_guided_lens"
):
    """The paper's guidance on the shipped encoder: a classifier on its map whose attention lies on the action units.

    data:       "ferplus" reads `ferplus/` below `--data`; "drawn" makes faces
    landmarker: MediaPipe's Face Landmarker, below `--data`
    bundle:     through whose encoder is looked; "" is the shipped one
    stills, reported: so many pictures of the Training part to learn from, of PublicTest to report on
    channels:   of the features that the class activation map is read from
    alignment:  weight of the alignment loss
    """

    name: str
    version: str
    licence: str
    seed: int
    optimiser: OptimiserConfig
    data: Literal["ferplus", "drawn"] = "ferplus"
    landmarker: str = "teacher/face_landmarker.task"
    bundle: str = ""
    stills: Count = 4000
    reported: Count = 1000
    channels: Count = 32
    alignment: Annotated[float, msgspec.Meta(ge=0)] = 4.0
    drawn: Count = 200
