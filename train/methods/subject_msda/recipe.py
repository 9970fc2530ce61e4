"""The recipe of subject-based adaptation."""

from typing import Annotated, Literal

import msgspec

from ...config import Count, OptimiserConfig, Share


class SubjectMsdaRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="subject_msda"
):
    """Everything that defines the run, but for the data's folder.

    data:        "pictures" reads the lists `sources.txt` and `target.txt` below `--data`, see `data.sets.subject_list`,
                 whose pictures are encoded by the bundle `base`; "unbc" takes those of the official layout, see
                 `data.sets.unbc`, with the subject `target` and one in `every` frames without pain; "features" reads
                 `sources` (`features` (N, D), `labels` (N,), `subjects` (N,)) and `target` (`features` (M, D), those of
                 the mirror images `flipped` (M, D), `labels` (M,)) there; "drawn" makes people whose features are
                 shifted, each in a direction of their own
    base:        folder of the bundle whose clip vectors the features are; "" is the shipped one
    class_names: of the exported head; numbers by default
    hidden:      width of the features that are drawn together
    discrepancy: and its weight in the sum
    threshold:   of the pseudo-labels in the first round; it falls by `threshold_step` with each of `rounds`
    closest:     so many source people, those most like the target, are used in stage 2; 0 for all
    batches:     of an epoch, each of half `optimiser.batch` rows of either side
    optimiser:   its epochs count for stage 1, and again for each round
    drawn_people, drawn_rows, drawn_dim: source people of "drawn", rows of each, and D
    """

    name: str
    seed: int
    data: Literal["drawn", "features", "pictures", "unbc"]
    classes: Count
    hidden: Count
    batches: Count
    optimiser: OptimiserConfig
    base: str = ""
    target: str = ""
    every: Count = 1
    class_names: tuple[str, ...] = ()
    discrepancy: Literal["mmd", "coral"] = "mmd"
    weight: float = 1.0
    threshold: Share = 0.9
    threshold_step: Share = 0.02
    rounds: Count = 3
    closest: Annotated[int, msgspec.Meta(ge=0)] = 0
    drawn_people: Count = 6
    drawn_rows: Count = 60
    drawn_dim: Count = 12
