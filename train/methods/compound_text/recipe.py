"""The recipe of compound emotions by text."""

from typing import Annotated, Literal

import msgspec

from streamaffect.text.textualise import TextualiserConfig

from ...config import Count, OptimiserConfig, Share
from ...data.sets.c_expr import WordsOf
from ...data.sets.meld import ClassOrder
from ...data.text.face_windows import WindowConfig

Number = Annotated[int, msgspec.Meta(ge=0)]


class LanguageModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which language model, and what is learned on top of it. The defaults of the adapters are the published ones.

    path:            folder of the model, relative to where the run is started, or a name of the local cache; "random"
                     is a small one whose words are those of the training prompts
    download:        a name may be fetched from the hub
    dtype:           of the frozen weights
    four_bit:        keep them in 4-bit NormalFloat with double quantisation, which needs an NVIDIA GPU and bitsandbytes
    rank, alpha, dropout: of the adapters
    rank_stabilised: scale by alpha / √rank in place of alpha / rank (Kalajdzievski 2023)
    targets:         names of the layers that get an adapter; none: the library's choice for the model
    """

    path: str
    download: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"
    four_bit: bool = False
    rank: Count = 8
    alpha: Count = 8
    dropout: Share = 0.05
    rank_stabilised: bool = True
    targets: tuple[str, ...] = ()


class CompoundTextRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="compound_text"
):
    """Everything that defines the run, but for the data's folder.

    data:          "meld" and "cexpr" read the layouts of `data.sets.meld` and `data.sets.c_expr` below `--data`;
                   "drawn" makes faces whose class only two active units together tell
    max_tokens:    longer prompts are cut
    pad_to:        "batch": a batch is as long as its longest prompt; "data": as the longest of all, as published
    epoch_prompts: an epoch takes so many prompts at random, 0: all
    class_order:   of MELD, by which published program its seven classes are numbered
    fold:          of C-EXPR-DB
    words_of:      of C-EXPR-DB: the words of the clip or of its whole video
    other:         of C-EXPR-DB: train the class "Other" too; it is dropped before a class is chosen
    drawn:         clips of "drawn"
    graph:         export the classifier as a graph of a bundle; a model of billions of weights is too large for it
    base:          folder of the bundle that the graph is added to; "" is the shipped one
    licence:       of the language model's weights, for the bundle's card
    """

    name: str
    seed: int
    data: Literal["drawn", "meld", "cexpr"]
    language_model: LanguageModelConfig
    optimiser: OptimiserConfig
    textualiser: TextualiserConfig = TextualiserConfig()
    windows: WindowConfig = WindowConfig()
    max_tokens: Count = 256
    pad_to: Literal["batch", "data"] = "batch"
    epoch_prompts: Number = 0
    class_order: ClassOrder = "text"
    fold: Number = 0
    words_of: WordsOf = "clip"
    other: bool = False
    drawn: Count = 400
    graph: bool = True
    base: str = ""
    licence: str = "as the language model's"
