"""The settings of a person's map."""

from typing import Annotated, Literal

import msgspec

from ....config import Count, NotNegative, Positive, Share

EXAMPLE = "configs/train/subject_msda/personalise.toml"


class PersonaliseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a person's map is learned.

    adapter:   "shift" moves all clip vectors by one vector; "affine" also stretches and turns them about their mean
    weight:    of the discrepancy (MMD) to the sources; 0 leaves pseudo-labels alone
    pseudo:    weight of the cross-entropy with the pseudo-labels
    drift:     weight of the squared distance by which clip vectors are moved, in variances of the sources
    threshold: of the pseudo-labels in the first round; it falls by `threshold_step` with each of `rounds`
    steps:     of Adam in each round, each with `batch` rows of either side
    """

    adapter: Literal["shift", "affine"] = "shift"
    weight: NotNegative = 1.0
    pseudo: NotNegative = 0.5
    drift: NotNegative = 1.0
    threshold: Share = 0.6
    threshold_step: Share = 0.02
    rounds: Count = 2
    steps: Count = 40
    batch: Annotated[int, msgspec.Meta(ge=2)] = 128
    lr: Positive = 0.02
    seed: int = 0
