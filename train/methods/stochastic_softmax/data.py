"""What temporal stochastic softmax learns from: folders of videos with one class each, or drawn videos."""

import numpy as np

from ...data.drawn_faces import EXPRESSIONS, draw_faces
from ...data.sets.class_folders import ClassVideo, load_class_folders
from ...errors import DataError
from ...loop.context import Context
from .recipe import StochasticSoftmaxRecipe

NEUTRAL = EXPRESSIONS.index("Neutral")


def drawn_videos(count: int, size: int, frames: int, *, apex: float, seed: int) -> list[ClassVideo]:
    """Neutral faces that show one of the six expressions during a share `apex` of their frames, somewhere."""
    generator = np.random.default_rng(seed)
    pool = draw_faces(40 * len(EXPRESSIONS), size, seed=seed)
    of_class = [np.flatnonzero(np.asarray(pool.labels) == label) for label in range(len(EXPRESSIONS))]
    videos = []
    for number in range(count):
        label = int(generator.integers(NEUTRAL))
        shown = np.full(frames, NEUTRAL)
        begin = int(generator.integers(frames - round(apex * frames) + 1))
        shown[begin : begin + round(apex * frames)] = label
        rows = [int(generator.choice(of_class[expression])) for expression in shown]
        videos.append(ClassVideo(f"drawn-{number}", label, pool.pictures[rows]))
    return videos


def load_videos(recipe: StochasticSoftmaxRecipe, context: Context) -> tuple[list[ClassVideo], list[ClassVideo]]:
    """The videos to train on, and those to score. Raises DataError if they are missing or not as described."""
    if recipe.data == "drawn":
        if recipe.classes != list(EXPRESSIONS[:-1]):
            raise DataError(f"drawn videos have the classes {', '.join(EXPRESSIONS[:-1])}")
        return (
            drawn_videos(recipe.drawn, recipe.size, recipe.drawn_frames, apex=recipe.apex, seed=recipe.seed),
            drawn_videos(recipe.drawn, recipe.size, recipe.drawn_frames, apex=recipe.apex, seed=recipe.seed + 1),
        )
    root = context.data_folder("train/ and val/")
    return (
        load_class_folders(root, "train", recipe.classes, recipe.size),
        load_class_folders(root, "val", recipe.classes, recipe.size),
    )
