"""`temporal.safetensors`: the weights of a finished run, to score other data with and to begin other tasks from."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...errors import TrainingError
from .model import ScaledTransformer, new_transformer
from .recipe import EmoClipRecipe

WEIGHTS = "temporal.safetensors"


def write_weights(model: ScaledTransformer, folder: Path) -> None:
    """Put the weights into a run's folder."""
    save_file({name: value.cpu().contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def read_weights(recipe: EmoClipRecipe, folder: Path, option: str) -> ScaledTransformer:
    """The transformer of the finished run in `folder`, which is of the recipe's shape.

    option: what the user named the folder with. Raises TrainingError if the file is missing, damaged or does not fit.
    """
    model, file = new_transformer(recipe), folder / WEIGHTS
    try:
        model.load_state_dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{file}: cannot be read ({error}); {option} takes the folder of a finished run") from error
    except RuntimeError as error:
        raise TrainingError(f"{file}: holds a transformer of another shape than that of {recipe.name}") from error
    return model
