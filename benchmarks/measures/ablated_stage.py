"""Stage 2 with parts taken away: what is trained, and what it says of held-out pictures and clips.

All variants of one seed begin with the same weights where their shapes allow it, and see the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec
import numpy as np
import torch

from train.bundle.declared import AFFECT
from train.data.clips import ClipIndex
from train.methods.relational.clip_stage import CachedClips, ClipTask, predict_clips
from train.methods.relational.encoders import Encoder
from train.methods.relational.evaluate import (
    StillFeatures,
    VideoFeatures,
    encode_held_out,
    encode_videos,
    predict_held_out,
)
from train.methods.relational.model import EMOTION_HEAD, AffectModel
from train.methods.relational.recipe import LossConfig
from train.methods.relational.run import Run

LEAST_EPOCHS = 2
WARMUP_SHARE = 0.25  # of a short training, at most


@dataclass(frozen=True, slots=True)
class Variant:
    """What is left of stage 2.

    relational: with the relational loss; context: with the clips before the query clip, else it is alone
    clip:       with all frames of a clip, else its last one is repeated
    """

    name: str
    relational: bool = True
    context: bool = True
    clip: bool = True


FULL = Variant("full")
VARIANTS = (
    FULL,
    Variant("no relational loss", relational=False),
    Variant("no context", context=False),
    Variant("no relational loss, no context", relational=False, context=False),
    Variant("last frame repeated", clip=False),
)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of one variant with S seeds. guess (N, S) and affect (N, S, 2) of pictures; clips (M, S, 2), of their frames."""

    guess: np.ndarray
    affect: np.ndarray
    clips: np.ndarray


def ablated(index: ClipIndex, variant: Variant, *, past: int) -> ClipIndex:
    """What the variant sees of the clips. past: place of the query clip; without context it is the only one."""
    samples, context, valid = index.samples, index.context, index.valid
    if not variant.clip:
        samples = np.repeat(samples[:, -1:], samples.shape[1], axis=1)
    if not variant.context:
        context, valid = context[:, past : past + 1], valid[:, past : past + 1]
    return ClipIndex(samples, context, valid)


class AblatedStage:
    """Trains and asks variants on the features of a finished run.

    relational: weight of the relational loss where a variant has it; batches: of each training
    """

    def __init__(self, run: Run, *, relational: float, batches: int) -> None:
        self._run = run
        self._relational = relational
        self._batches = batches

    @cached_property
    def stills(self) -> StillFeatures:
        """The held-out pictures."""
        return encode_held_out(self._run.recipe, self._encoder, self._run.corpus.held_out)

    @cached_property
    def videos(self) -> VideoFeatures:
        """The clips that are only reported."""
        return encode_videos(self._run.recipe, self._encoder, self._run.corpus.report_videos)

    def predictions(self, variant: Variant, seeds: Sequence[int]) -> Predictions:
        """Train with every seed, from the newest checkpoint where there is one, and ask."""
        past = self._run.recipe.context.past
        stills = replace(self.stills, index=ablated(self.stills.index, variant, past=past))
        index = ablated(self.videos.index, variant, past=past)
        guesses, affects, clips = [], [], []
        for seed in seeds:
            model = self._trained(variant, seed)
            heads = predict_held_out(model, stills)
            guesses.append(heads[EMOTION_HEAD].argmax(dim=1).numpy())
            affects.append(heads[AFFECT].numpy())
            clips.append(predict_clips(model, self.videos.features, index)[AFFECT].numpy())
        return Predictions(np.stack(guesses, axis=1), np.stack(affects, axis=1), np.stack(clips, axis=1))

    @cached_property
    def _encoder(self) -> Encoder:
        return self._run.frame_encoder()

    @cached_property
    def _sets(self) -> list[CachedClips]:
        return self._run.clip_sets(self._encoder)

    def _trained(self, variant: Variant, seed: int) -> AffectModel:
        run, settings, past = self._run, self._run.recipe.temporal, self._run.recipe.context.past
        epochs = max(LEAST_EPOCHS, round(self._batches / settings.batches_per_epoch))
        warmup = min(settings.optimiser.warmup_epochs, WARMUP_SHARE * epochs)
        torch.manual_seed(seed)
        task = ClipTask(
            run.affect_model(past=past if variant.context else 0),
            [replace(part, index=ablated(part.index, variant, past=past)) for part in self._sets],
            [1 - settings.videos_share, settings.videos_share],
            self._loss(variant),
            lambda _: {},  # no choice is made on the way
            batch=settings.optimiser.batch,
            batches_per_epoch=-(-self._batches // epochs),
            seed=seed,
        )
        optimiser = msgspec.structs.replace(settings.optimiser, epochs=epochs, warmup_epochs=warmup)
        model = run.context.fit(task, optimiser, self._stage(variant, seed))
        assert isinstance(model, AffectModel)
        return model

    def _stage(self, variant: Variant, seed: int) -> str:
        """Folder of a training below the run's; what changes its result is part of the name."""
        weight = f"-{self._relational:g}" if variant.relational else ""
        name = variant.name.replace(",", "").replace(" ", "_")
        return f"ablation/{name}{weight}-{self._batches}-seed{seed}"

    def _loss(self, variant: Variant) -> LossConfig:
        weight = self._relational if variant.relational else 0.0
        return msgspec.structs.replace(self._run.recipe.temporal.loss, relational=weight)
