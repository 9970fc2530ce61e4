"""The recipe of a published evaluation protocol: data set, folds, sampling, model, optimiser, as one TOML file."""

from typing import Annotated, Any, Literal

import msgspec

from ....config import Count, OptimiserConfig, Precision
from ....data.sampling.sequences import SequenceConfig

LEAST_BATCH = 2  # one clip has no concordance
OLDER_OPTIMISER = {
    "kind": "sgd", "weight_decay": 0.0, "schedule": "steps", "warmup_epochs": 0.0, "decay": 1.0, "clip_norm": 0.0,
    "ema": 0.0,
}  # fmt: skip


class ProtocolDataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which data set, and how it is divided.

    kind:           the layout of the folder that `--data` names
    divide:         one fold per subject, `folds` folds over subjects, or the data set's own split
    valid_subjects: of each fold's training part, drawn for choosing the epoch; with none the last epoch is taken
    train_share:    share of each fold's training clips that is used, drawn once per fold
    ranges:         lowest and highest value of each rating, for `ratings`
    """

    kind: Literal["amigos", "omg", "ratings", "aff_wild2", "clips"]
    divide: Literal["by subject", "folds", "fixed"]
    folds: Count = 5
    valid_subjects: Annotated[int, msgspec.Meta(ge=0)] = 0
    train_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    ranges: dict[str, tuple[float, float]] = {}


class EncoderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The frame encoder.

    recipe: file beside this one that gives its shape and the geometry of the crops
    run:    folder of a finished run of that recipe whose encoder is taken; "" begins with random weights
    learns: "all", or as published only the scales and shifts of its normalisations, and its last linear map
    """

    recipe: str
    run: str = ""
    learns: Literal["all", "norms"] = "all"


class RegressorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clip encoder and head.

    head: "context", or "clinical": a slice per symptom, and a total as the last output. Both look at the clips around;
          "clip" and "clinical clip" are the same without, as in the published ablation
    """

    heads: Count = 16
    layers: Count = 2
    feedforward: Count = 2048
    head: Literal["context", "clinical", "clip", "clinical clip"] = "context"


class ObjectiveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """main: 1 - CCC or the root of the mean squared error; relational: weight of the relational loss beside it."""

    main: Literal["ccc", "rmse"]
    relational: float = 1.0


class SamplingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the training windows begin.

    kind:    "uniform", as published: anywhere; past the end a window goes on at the beginning. "softmax": within the
             recording, drawn by `train.data.sampling.ClipWeights` from where its labels were predicted best so far:
             the score of a window is minus the mean absolute error of its prediction
    beta:    inverse temperature of the draw; 0 draws uniformly
    warm_up, exploration: epochs of the first two phases
    """

    kind: Literal["uniform", "softmax"] = "uniform"
    beta: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    warm_up: Annotated[int, msgspec.Meta(ge=0)] = 3
    exploration: Annotated[int, msgspec.Meta(ge=2)] = 5


class ProtocolRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="protocol"):
    """Everything that defines an evaluation, but for the data's folder.

    outputs:   labels in the order of the model
    optimiser: of each fold; its `divisor` is that of the encoder. Where a fold has a validation part and no `stop` is
               named, all epochs are trained and the one with the least main loss on that part is taken
    """

    name: str
    seed: int
    outputs: list[str]
    data: ProtocolDataConfig
    encoder: EncoderConfig
    optimiser: OptimiserConfig
    objective: ObjectiveConfig
    sequence: SequenceConfig = SequenceConfig()
    sampling: SamplingConfig = SamplingConfig()
    regressor: RegressorConfig = RegressorConfig()
    precision: Precision = "32-true"

    def __post_init__(self) -> None:
        if self.optimiser.batch < LEAST_BATCH:
            raise ValueError(f"Expected `int` >= {LEAST_BATCH} at optimiser.batch: one clip has no concordance")
        if self.data.kind == "ratings" and set(self.data.ranges) != set(self.outputs):
            named = ", ".join(self.data.ranges) or "nothing"
            raise ValueError(f"data.ranges names {named}; expected a range for each of {', '.join(self.outputs)}")


def upgrade(content: dict[str, Any]) -> list[str]:
    """Change the plain values of an older recipe to today's keys, in place; returns a line for each that has moved.

    Before they named their method, protocols had an optimiser of their own: plain SGD. Today's recipes are left alone.
    """
    optimiser = content.get("optimiser")
    if not isinstance(optimiser, dict):
        return []
    notes = []
    if "encoder_divisor" in optimiser and "divisor" not in optimiser:
        optimiser["divisor"] = optimiser.pop("encoder_divisor")
        notes.append("optimiser.encoder_divisor is optimiser.divisor today")
    if "method" in content:
        return notes
    unsaid = {key: value for key, value in OLDER_OPTIMISER.items() if key not in optimiser}
    optimiser.update(unsaid)
    listed = ", ".join(f"{key} = {value!r}".replace("'", '"') for key, value in unsaid.items())
    notes.append(f'an older protocol, read with method = "protocol" and, under optimiser, {listed}')
    if optimiser["schedule"] == "cosine":
        notes.append("optimiser.schedule: the cosine falls with every step today, and not with every epoch")
    return notes
