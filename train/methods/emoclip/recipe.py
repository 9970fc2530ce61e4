"""The recipe of EmoCLIP."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from streamaffect.errors import ConfigError

from ...config import Count, OptimiserConfig, Positive
from ...data.sets.described_videos import DataSet

RELEASED_LOG_SCALE = 4.6052  # ln 100, of the released CLIP weights


class EmoClipRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="emoclip"):
    """Everything that defines the run, but for the data's folder.

    data:      "mafw", "dfew", "ferv39k", "afew", "table": a layout of `data.sets.described_videos` below `--data`;
               "features" reads `train` and `val` there, each with `frames` (N, T, D), `lengths` (N,) in frames, `text`
               (N, D) of each sample's own description, `labels` (N,) and `class_text` (K, D);
               "drawn" makes embeddings in which a sentence and the middle of its video point the same way
    dim:       D. depth, heads, head_dim, mlp_dim: of the temporal transformer
    clip:      the CLIP model, a folder or a downloaded name; "drawn" a tiny random one; without it no bundle is written
    prompts:   file beside the recipe: name of each class = a sentence. licence: of the weights, for the bundle
    describe:  train on the samples' own "captions", where a sample has one, or on the "classes" sentences
    fold, compound: of the data set. leave_out: a class that is not trained on, and alone is scored
    balance:   repeat the samples of rarer classes up to the number of the most frequent one
    videos:    folder below `--data` with the files of the videos, in which the stream's detector finds the faces;
               without it the data set's own frames are taken
    stride, fps: every so many-th frame of so many a second. longest: frames of a video that are kept
    views:     augmented versions of each training video beside the plain one
    window:    frames that are trained on at once, from a random start that wraps around the end of a video
    scoring:   the mean over "consecutive" windows, or one "random" window as published
    log_scale: start of the learned temperature
    reference: the published widths and start, see `TemporalTransformer`; frames that pad a batch are attended to
    drawn, drawn_frames, drawn_classes: samples, T and K of "drawn"
    """

    name: str
    seed: int
    data: Literal["drawn", "features", "mafw", "dfew", "ferv39k", "afew", "table"]
    dim: Count
    optimiser: OptimiserConfig
    depth: Count = 2
    heads: Count = 8
    head_dim: int | None = None
    mlp_dim: int | None = None
    clip: str = ""
    prompts: str = ""
    licence: str = "not stated"
    describe: Literal["captions", "classes"] = "captions"
    fold: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    compound: bool = False
    leave_out: str = ""
    balance: bool = False
    videos: str = ""
    stride: Count = 2
    fps: Positive = 25.0
    longest: Count = 128
    views: Annotated[int, msgspec.Meta(ge=0)] = 0
    window: Count = 32
    scoring: Literal["consecutive", "random"] = "consecutive"
    log_scale: float = RELEASED_LOG_SCALE
    reference: bool = False
    drawn: Count = 300
    drawn_frames: Count = 12
    drawn_classes: Count = 5

    @property
    def data_set(self) -> DataSet | None:
        """The data set whose videos are read; None where embeddings are drawn or given in files."""
        if self.data == "drawn":
            return None
        return None if self.data == "features" else self.data


def read_prompts(file: Path) -> dict[str, str]:
    """Name of each class → its sentence, in the order of the file.

    Raises ConfigError if the file is missing, not TOML, empty, or holds anything but sentences.
    """
    try:
        sentences = msgspec.toml.decode(file.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); `prompts` is a file beside the recipe with "
                          "lines like: happiness = \"The mouth is drawn up into a smile.\"") from error  # fmt: skip
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f'{file}: {error}; expected lines like: happiness = "A smile."') from error
    if not sentences or not all(sentence.strip() for sentence in sentences.values()):
        raise ConfigError(f"{file}: each class needs a sentence; found {list(sentences)}")
    return sentences


def class_sentences(prompts: dict[str, str], names: list[str]) -> dict[str, list[str]]:
    """Per class its sentences: one, or one for each part of a compound class such as `anger_disgust`.

    Raises ConfigError that names the classes without a sentence.
    """
    parts = {name: [name] if name in prompts else name.split("_") for name in names}
    if missing := sorted({part for found in parts.values() for part in found if part not in prompts}):
        raise ConfigError(f"the prompts have no sentence for {', '.join(missing)}; they have {', '.join(prompts)}")
    return {name: [prompts[part] for part in found] for name, found in parts.items()}
