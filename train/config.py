"""What all training recipes share: ranges, the optimiser, and how a TOML file becomes typed values.

An unknown key or a wrong type ends the run at once.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from streamaffect.errors import ConfigError

EXAMPLE = "configs/train/relational/default.toml"

Positive = Annotated[float, msgspec.Meta(gt=0.0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]  # as in streamaffect.types: typing keeps one of equal ones
Count = Annotated[int, msgspec.Meta(ge=1)]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]  # Lightning Fabric's names


class StopConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop early, and keep the weights of the best epoch.

    score:    of the validation, as the log names it; lowest: the best is the lowest
    patience: training ends after so many epochs without a better score
    """

    score: str
    patience: Count
    lowest: bool = False


class OptimiserConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An optimiser and how its rate changes.

    kind:       "adamw" decays weights but for norms and biases; "sgd" decays all, as the published code does
    batch:      per device; accumulate: so many batches make a step, each with a loss of its own
    schedule:   "cosine" to zero at the end; "steps": times `decay` after every `decay_every` epochs. Both begin with a
                linear warm-up
    divisor:    the rate of a pretrained part is smaller by this: with steps from the first one on, else always
    clip_norm:  largest norm of the gradient, 0: any; ema: decay of the moving average of the weights, 0: none
    save_steps: a checkpoint is written after so many steps, and after every epoch
    stop:       end before `epochs`; without it the last epoch's weights are taken
    """

    epochs: Count
    batch: Count
    lr: Positive
    kind: Literal["adamw", "sgd"] = "adamw"
    momentum: Share = 0.0
    weight_decay: float = 0.05
    accumulate: Count = 1
    schedule: Literal["cosine", "steps"] = "cosine"
    warmup_epochs: NotNegative = 1.0
    decay: Share = 0.1
    decay_every: Count = 5
    divisor: Positive = 1.0
    clip_norm: NotNegative = 1.0
    ema: Share = 0.998
    save_steps: Count = 500
    stop: StopConfig | None = None


Struct = TypeVar("Struct", bound=msgspec.Struct)


def read_recipe(path: Path, kind: type[Struct], *, example: str = EXAMPLE) -> Struct:
    """Read and check a recipe of one kind.

    Raises:
        ConfigError: the file is missing or not TOML, a key is unknown, or a value is of the wrong type or range.
    """
    return typed_recipe(path, read_toml(path, example=example), kind)


def read_toml(path: Path, *, example: str = EXAMPLE) -> dict[str, Any]:
    """The plain values of a TOML file. Raises ConfigError where it is missing or not TOML; `example` is one that is."""
    try:
        content: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
        return content
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); --config takes a recipe, e.g. {example}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def typed_recipe(path: Path, content: dict[str, Any], kind: type[Struct]) -> Struct:
    """The values of a recipe that was read. Raises ConfigError for an unknown key, or a wrong type or range."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
