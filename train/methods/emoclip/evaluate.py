"""Score a finished run: on its own validation part, or zero-shot on the test part of any data set as the paper does."""

from ...loop.context import Context, Report
from .data.load import open_data_set, open_towers
from .recipe import EmoClipRecipe
from .run import run
from .scores import scores
from .weights import read_weights


def evaluate(recipe: EmoClipRecipe, context: Context) -> Report:
    """Scores of the run in the context's folder on the data set that the recipe names, such as one not trained on.

    Where the recipe names none, those that `run` gives.

    Raises ConfigError, DataError or TrainingError if recipe, data, run or CLIP are missing or do not fit.
    """
    if recipe.data_set is None:
        return run(recipe, context)
    features = f"features-{context.recipe_file.stem}"
    reader = open_data_set(recipe, context, open_towers(recipe), features=features)
    model = read_weights(recipe, context.folder, "--run")
    return {**scores(model.to(context.fabric.device), reader.read("test"), recipe)}
