"""Where the prompts of the text-based route come from: MELD, C-EXPR-DB, or faces and voices that are drawn."""

import torch

from streamaffect.text.action_units import UNIT_NAMES
from streamaffect.text.textualise import Evidence

from ...data.sets.c_expr import CLASSES, OTHER, load_c_expr
from ...data.sets.c_expr_folds import FoldPart
from ...data.sets.meld import CLASS_ORDERS, MeldPart, load_meld
from ...data.text.face_windows import SEEN_EXPRESSIONS
from ...data.text.prompts import TextClip
from ...loop.context import Context
from .recipe import CompoundTextRecipe

PREPARED = "prepared"  # folder of a run, with tables of the voices that were described
HELD = "the data set, as docs/methods/compound_text.md says"  # what the data folder holds
MELD_PARTS: dict[FoldPart, MeldPart] = {"train": "train", "val": "dev", "test": "test"}
DRAWN_CLASSES = ("calm", "cheerful", "tense", "startled")
# Two units and a descriptor of the voice for each drawn class. Units repeat, so that none tells a class alone.
DRAWN_SIGNS = (((12, 43), "Calmness"), ((6, 12), "Joy"), ((4, 6), "Anger"), ((4, 43), "Surprise"))


def class_names(recipe: CompoundTextRecipe) -> tuple[str, ...]:
    """The names of the classes that are trained, in the order of their numbers."""
    if recipe.data == "meld":
        return CLASS_ORDERS[recipe.class_order]
    if recipe.data == "drawn":
        return DRAWN_CLASSES
    return (*CLASSES, OTHER) if recipe.other else CLASSES


def load_clips(recipe: CompoundTextRecipe, context: Context, part: FoldPart) -> list[TextClip]:
    """The clips of one part; those of the class "Other" only where it is trained.

    Raises DataError if the data are missing or not as described.
    """
    if recipe.data == "drawn":
        return drawn_clips(recipe.drawn, seed=recipe.seed + ("train", "val", "test").index(part))
    root = context.data_folder(HELD)
    if recipe.data == "meld":
        voices = context.folder / PREPARED / MELD_PARTS[part]
        return load_meld(root, MELD_PARTS[part], recipe.class_order, voices=voices)
    clips = load_c_expr(root, recipe.fold, part, words_of=recipe.words_of)
    return [clip for clip in clips if recipe.other or clip.label < len(CLASSES)]


def drawn_clips(count: int, *, seed: int) -> list[TextClip]:
    """Clips whose class only two active units together tell; a third unit, the expressions and levels are noise.

    The voice names the class in one clip of four, and something else in the others.
    """
    generator = torch.Generator().manual_seed(seed)
    clips = []
    for number in range(count):
        label = int(torch.randint(len(DRAWN_CLASSES), (1,), generator=generator))
        noise = torch.rand(len(UNIT_NAMES) + len(SEEN_EXPRESSIONS) + 4, generator=generator).tolist()
        units, descriptor = DRAWN_SIGNS[label]
        quiet = dict(zip(UNIT_NAMES, noise, strict=False))
        activations = {unit: 0.9 if unit in units else 0.4 * quiet[unit] for unit in UNIT_NAMES}
        activations[26] = noise[-1]
        spoken = descriptor if noise[-2] < 1 / 4 else DRAWN_SIGNS[int(4 * noise[-3])][1]
        evidence = Evidence(
            units=activations,
            expressions=dict(zip(SEEN_EXPRESSIONS, noise[len(UNIT_NAMES) :], strict=False)),
            prosody={spoken: noise[-4]},
            arousal=noise[0],
            valence=noise[1],
        )
        clips.append(TextClip(f"drawn-{number}", f"drawn-{number}", label, evidence, None))
    return clips
