"""The recipe of a published evaluation protocol: data set, folds, sampling, model, optimiser, as one TOML file."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from streamaffect.errors import ConfigError

from ....config import Count, NotNegative, Positive, Share
from ....data.clips_csv import load_clips_csv
from ....data.records import LabelledClips
from ....data.sequences import SequenceConfig
from ....data.sets.aff_wild2 import load_aff_wild2
from ....data.sets.amigos import load_amigos
from ....data.sets.ness import load_label_table
from ....data.sets.omg import load_omg
from ....data.splits import Fold, fixed_split, leave_one_subject_out, subject_folds


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
    """Clip encoder and head. head: "context", or "clinical": a slice per symptom, and a total as the last output."""

    heads: Count = 16
    layers: Count = 2
    feedforward: Count = 2048
    head: Literal["context", "clinical"] = "context"


class SgdConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Plain SGD.

    schedule:           "steps": at every `decay_every` epochs the rate is multiplied by `decay`; or "cosine" to zero
    encoder_divisor:    from the first step on, or with the cosine always, the encoder's rate is smaller by this
    clip_norm:          largest norm of the gradient, 0: any
    """

    epochs: Count
    batch: Annotated[int, msgspec.Meta(ge=2)]
    lr: Positive
    momentum: Share = 0.0
    weight_decay: float = 0.0
    schedule: Literal["steps", "cosine"] = "steps"
    decay: Share = 1.0
    decay_every: Count = 5
    encoder_divisor: Positive = 1.0
    clip_norm: NotNegative = 0.0


class ObjectiveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """main: 1 - CCC or the root of the mean squared error; relational: weight of the relational loss beside it."""

    main: Literal["ccc", "rmse"]
    relational: float = 1.0


class SamplingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the training windows begin.

    kind:    "uniform", as published: anywhere; past the end a window goes on at the beginning. "softmax": within the
             recording, drawn by `train.data.clip_weights.ClipWeights` from where its labels were predicted best so far:
             the score of a window is minus the mean absolute error of its prediction
    beta:    inverse temperature of the draw; 0 draws uniformly
    warm_up, exploration: epochs of the first two phases
    """

    kind: Literal["uniform", "softmax"] = "uniform"
    beta: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    warm_up: Annotated[int, msgspec.Meta(ge=0)] = 3
    exploration: Annotated[int, msgspec.Meta(ge=2)] = 5


class ProtocolRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="protocol"):
    """Everything that defines an evaluation, but for the data's folder. outputs: labels in the order of the model."""

    name: str
    seed: int
    outputs: list[str]
    data: ProtocolDataConfig
    encoder: EncoderConfig
    optimiser: SgdConfig
    objective: ObjectiveConfig
    sequence: SequenceConfig = SequenceConfig()
    sampling: SamplingConfig = SamplingConfig()
    regressor: RegressorConfig = RegressorConfig()
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"


def load_protocol(path: Path) -> ProtocolRecipe:
    """Read and check a protocol.

    Raises:
        ConfigError: the file is missing or not TOML, a key is unknown, or a value is of the wrong type or range.
    """
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=ProtocolRecipe)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); --config takes a protocol, e.g. "
                          "configs/train/relational/amigos.toml") from error  # fmt: skip
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if recipe.data.kind == "ratings" and set(recipe.data.ranges) != set(recipe.outputs):
        named = ", ".join(recipe.data.ranges) or "nothing"
        raise ConfigError(
            f"{path}: data.ranges names {named}; expected a range for each of {', '.join(recipe.outputs)}"
        )
    return recipe


def load_clips(config: ProtocolDataConfig, root: Path) -> LabelledClips:
    """The labelled clips below `root`.

    omg: the published tables, and beside them the folders of videos; aff_wild2: `annotations/` and `cropped_aligned/`;
    ratings: `ratings.csv` and the videos that it names; clips: `clips.csv`; amigos: `amigos.json` and its groups.

    Raises:
        DataError: what is there is not as the data set's layout demands.
    """
    match config.kind:
        case "amigos":
            return load_amigos(root)
        case "omg":
            return load_omg(root, root)
        case "ratings":
            return load_label_table(root / "ratings.csv", root, config.ranges)
        case "aff_wild2":
            return load_aff_wild2(root / "annotations", root / "cropped_aligned")
        case "clips":
            return load_clips_csv(root / "clips.csv")


def divide(config: ProtocolDataConfig, clips: LabelledClips, seed: int) -> list[Fold]:
    """The folds that the protocol asks for. Raises DataError where the clips do not allow them."""
    records, valid = clips.records, config.valid_subjects
    match config.divide:
        case "by subject":
            return leave_one_subject_out(records, valid_subjects=valid, seed=seed)
        case "folds":
            return subject_folds(records, config.folds, valid_subjects=valid, seed=seed)
        case "fixed":
            return [fixed_split(records)]
