"""What PKDOT's recipe learns from: a visual vector, a privileged one, and a label, of clips of BioVid or of one's own.

The privileged modality is physiology with BioVid and the voice with one's own clips. Of both a spectrogram comes first,
which a backbone of its own turns into a vector.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...audiovisual.log_mel import LogMelConfig
from ...audiovisual.sources import clip_steps
from ...audiovisual.steps import StepWindows
from ...data.augment import place, plain
from ...data.backbone import VisualBackbone
from ...data.clip_faces import read_face
from ...data.feature_files import load_features
from ...data.sets.biovid import BioVidClip, load_fold, muscle_current, spectrogram
from ...data.sets.ferplus import PUBLIC_TEST, TRAINING, blendshapes_of, load_ferplus
from ...errors import DataError
from ...loop.context import Context
from .recipe import PkdotRecipe

Note = Callable[[str, str], None]


class PairedFeatures(NamedTuple):
    """N samples.

    visual:     (N, V)
    privileged: (N, P), or (N, rows, t) spectrograms that a backbone has yet to encode
    labels:     (N,) int64 classes, or (N, 2) valence and arousal
    """

    visual: Tensor
    privileged: Tensor
    labels: Tensor


Parts = tuple[PairedFeatures, PairedFeatures]


def load_pairs(recipe: PkdotRecipe, backbone: VisualBackbone | None, context: Context) -> Parts:
    """Training and validation part of what `recipe.data` asks for.

    Raises DataError if the data are missing or not as described.
    """
    if recipe.data == "drawn":
        return _drawn(recipe, recipe.drawn_dim if backbone is None else backbone.dim)
    if recipe.data == "features":
        root = context.data_folder("train.safetensors and val.safetensors")
        return _features(recipe, root, "train", backbone), _features(recipe, root, "val", backbone)
    assert backbone is not None  # the recipe sees to it
    if recipe.data == "biovid":
        return biovid_pairs(context.data_folder("BioVid's folds, frames and physio"), recipe.fold, backbone)
    if recipe.data == "ferplus":
        return ferplus_pairs(context.data_folder("ferplus/ with its teacher's labels"), backbone)
    root = context.data_folder("clips.csv and the videos that it names")
    return voiced_pairs(root, context.folder / "prepared", backbone, recipe.sound, context.progress.note)


def _drawn(recipe: PkdotRecipe, dim: int) -> Parts:
    counts = (recipe.drawn, max(50, recipe.drawn // 2))
    train, valid = (
        drawn_pairs(
            dim, recipe.drawn_dim, count=count, outputs=recipe.outputs, is_affect=recipe.task == "affect",
            shared=recipe.seed, seed=recipe.seed + part,
        )
        for part, count in enumerate(counts)
    )  # fmt: skip
    return train, valid


def _features(
    recipe: PkdotRecipe, root: Path, part: str, backbone: VisualBackbone | None
) -> PairedFeatures:  # fmt: skip
    labels = "NL" if recipe.task == "affect" else "N int"
    features = PairedFeatures(**load_features(root, part, {"visual": "NV", "privileged": "NP", "labels": labels}))
    if backbone is not None:
        backbone.check_width(features.visual.shape[1], f"{root}/{part}.safetensors")
    return features


def biovid_pairs(root: Path, fold: int, backbone: VisualBackbone) -> Parts:
    """Training and test part of a published fold: clips of faces, and spectrograms of the corrugator's current.

    Raises DataError if a file is missing or not as described.
    """
    parts = [_biovid_part(load_fold(root, fold, part), backbone) for part in ("train", "test")]
    # A recording may be a sample longer than another, and so its spectrogram a column wider.
    columns = min(one.shape[1] for _, spectrograms, _ in parts for one in spectrograms)
    train, valid = (
        PairedFeatures(visual, torch.stack([one[:, :columns] for one in spectrograms]), labels)
        for visual, spectrograms, labels in parts
    )
    return train, valid


def voiced_pairs(
    root: Path, shards: Path, backbone: VisualBackbone, mel: LogMelConfig, note: Note
) -> Parts:  # fmt: skip
    """The clips of `clips.csv` in which something is heard: see `clip_steps`, each step by itself.

    shards: where the faces are kept

    Raises DataError as `clip_steps`, or if nothing is heard.
    """
    train, valid = clip_steps(root, shards, backbone, mel, steps=1, note=note)
    return heard_pairs(train), heard_pairs(valid)


def ferplus_pairs(root: Path, backbone: VisualBackbone, limit: int | None = None) -> Parts:
    """FER+'s training part and PublicTest: clip vectors, standardised blendshapes, the emotion that most voters saw.

    Pictures without a majority, and those in which the landmark model found no face, are left out; of more than `limit`
    a part, so many are drawn. Raises DataError if a file is missing.
    """
    train, valid = (_ferplus_part(root, split, backbone, limit) for split in (TRAINING, PUBLIC_TEST))
    centre, scale = train.privileged.mean(dim=0), train.privileged.std(dim=0).clamp_min(1e-3)
    train, valid = (part._replace(privileged=(part.privileged - centre) / scale) for part in (train, valid))
    return train, valid


def _ferplus_part(root: Path, split: int, backbone: VisualBackbone, limit: int | None) -> PairedFeatures:
    pictures = load_ferplus(root, split, colour=True)
    blendshapes, found = blendshapes_of(root, pictures.stills.names)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(pictures.is_clear & found))[:limit]
    crops = [place(pictures.stills.pictures[row], plain(1.0, mirrored=False), backbone.size) for row in rows]
    features = backbone.frames(np.stack(crops))
    equal = np.repeat(np.arange(len(rows))[:, None], backbone.clip.frames, axis=1)
    return PairedFeatures(
        torch.from_numpy(backbone.clips(features, equal)),
        torch.from_numpy(blendshapes[rows]),
        torch.from_numpy(pictures.stills.emotions[rows].argmax(axis=1)),
    )


def heard_pairs(steps: StepWindows) -> PairedFeatures:
    """The steps in which something is heard, by themselves. Raises DataError if there are fewer than two."""
    rows = steps.heard
    if int(rows.sum()) < 2:
        raise DataError("nothing is heard in a part of the clips; a teacher that listens needs sound")
    return PairedFeatures(steps.visual[rows], steps.audio[rows], steps.labels[rows])


def drawn_pairs(
    dim: int, state_dim: int, *, count: int, outputs: int, is_affect: bool, shared: int, seed: int
) -> PairedFeatures:  # fmt: skip
    """A hidden state that is seen clearly in the privileged feature and under noise in the visual one.

    dim: V, state_dim: P. shared: seed of what a data set has in common; seed: of these samples
    """
    fixed, generator = (torch.Generator().manual_seed(number) for number in (shared, seed))
    centres = torch.randn(outputs, state_dim, generator=fixed)
    mixing = torch.eye(dim) if dim == state_dim else torch.randn(state_dim, dim, generator=fixed) / state_dim**0.5
    labels = torch.randint(outputs, (count,), generator=generator)
    state, blur = torch.randn(2, count, state_dim, generator=generator)
    if is_affect:
        affect = torch.tanh(state @ centres.T / state_dim**0.5)
        return PairedFeatures((state + blur) @ mixing, state, affect)
    state = centres[labels] + 0.5 * state
    return PairedFeatures((state + 1.5 * blur) @ mixing, state, labels)


def _biovid_part(clips: list[BioVidClip], backbone: VisualBackbone) -> tuple[Tensor, list[Tensor], Tensor]:
    visual = torch.from_numpy(np.concatenate([_clip_vector(clip, backbone) for clip in clips]))
    spectrograms = [spectrogram(muscle_current(clip.physiology)) for clip in clips]
    return visual, spectrograms, torch.tensor([clip.label for clip in clips])


def _clip_vector(clip: BioVidClip, backbone: VisualBackbone) -> np.ndarray:
    count = backbone.clip.frames
    crops = np.stack([read_face(file, backbone.size) for file in clip.frames(count=count)])
    return backbone.clips(backbone.frames(crops), np.arange(count)[None])
