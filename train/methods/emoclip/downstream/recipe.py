"""The recipe of a task of one's own on EmoCLIP's video embedding."""

from typing import Literal

import msgspec

from ....config import OptimiserConfig


class EmoClipDownstreamRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="emoclip_downstream"
):
    """Everything that defines the run, but for the data's folder.

    base:    recipe of EmoCLIP beside this one: data, CLIP, and shape of the transformer
    run:     folder of a finished run of `base` whose transformer is taken; without it random weights begin
    trains:  "head" alone, or "all": the transformer too, as published
    head:    "linear", or as published a hidden layer of D / 2, "mlp"
    outputs: names of the columns of `values` (N, L) in feature files, for a regression between -1 and 1; without them
             the classes of the data are learned
    """

    name: str
    seed: int
    base: str
    optimiser: OptimiserConfig
    licence: str = "not stated"
    run: str = ""
    trains: Literal["head", "all"] = "all"
    head: Literal["linear", "mlp"] = "mlp"
    outputs: list[str] = []
