"""What a trained model scores on held-out stills and clips, and the intervals calibrated on the way."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...bundle.declared import AFFECT
from ...data.clips import ClipIndex, index_sequence, index_stills, join
from ...data.labelled_clips import AFFECT_LABELS
from ...data.videos import LabelledVideo
from ...metrics.regression import bootstrap_interval, ccc, pcc
from .calibrate import Quantiles, conformal_quantiles, coverage
from .clip_stage import predict_clips
from .data.corpus import Corpus, HeldOut
from .data.sources import video_stills
from .encoders import Encoder
from .features import plain_features, still_features
from .model import AFFECT_SPREAD, EMOTION_HEAD, AffectModel
from .recipe import Recipe
from .scores import score_stills

MOVING = 0.05  # standard deviation of a label below which its correlation inside a clip means nothing


@dataclass(frozen=True, slots=True)
class StillFeatures:
    """Features of held-out pictures, (N, D) for each of the looks at a still that the runtime averages."""

    held_out: HeldOut
    looks: list[Tensor]
    index: ClipIndex


@dataclass(frozen=True, slots=True)
class VideoFeatures:
    """Features of whole videos, (N, D), one after the other; truth (N, 2) of the teacher."""

    videos: list[LabelledVideo]
    features: Tensor
    index: ClipIndex
    truth: Tensor


def encode_held_out(recipe: Recipe, encoder: Encoder, held_out: HeldOut) -> StillFeatures:
    """Encode held-out pictures once; stage 2 is scored on them after every epoch."""
    features = still_features(encoder, held_out.stills, recipe.crop.size)
    return StillFeatures(held_out, features, index_stills(len(held_out.stills), recipe.clip, recipe.context))


def encode_videos(recipe: Recipe, encoder: Encoder, videos: list[LabelledVideo]) -> VideoFeatures:
    """Encode the frames of videos once."""
    features = plain_features(encoder, video_stills(videos, recipe.crop), recipe.crop.size, mirrored=False)
    index = join([index_sequence(video.time_s, recipe.clip, recipe.context) for video in videos])
    return VideoFeatures(videos, features, index, torch.from_numpy(np.concatenate([v.affect for v in videos])))


def held_out_scores(stills: StillFeatures, clips: VideoFeatures) -> Callable[[AffectModel], dict[str, float]]:
    """The function that scores stage 2 on stills and on clips."""

    def score(model: AffectModel) -> dict[str, float]:
        heads = predict_held_out(model, stills)
        scores = score_stills(stills.held_out, heads[EMOTION_HEAD], heads[AFFECT])
        return scores | clip_scores(clips, predict_clips(model, clips.features, clips.index)[AFFECT])

    return score


def predict_held_out(model: AffectModel, stills: StillFeatures) -> dict[str, Tensor]:
    """Predictions of stills, averaged over the looks at each."""
    answers = [predict_clips(model, features, stills.index) for features in stills.looks]
    return {name: torch.stack([answer[name] for answer in answers]).mean(dim=0) for name in answers[0]}


def clip_scores(clips: VideoFeatures, affect: Tensor) -> dict[str, float]:
    """CCC to the teacher over all frames, and the median correlation of valence inside a clip that moves."""
    valence, arousal = ccc(affect, clips.truth).tolist()
    inside, first = [], 0
    for video in clips.videos:
        rows = slice(first, first + len(video.pictures))
        first = rows.stop
        if clips.truth[rows, 0].std() > MOVING:
            inside.append(float(pcc(affect[rows], clips.truth[rows])[0]))
    within = float(np.median(inside)) if inside else 0.0
    return {"clip_ccc_valence": valence, "clip_ccc_arousal": arousal, "within_clip": within}


def calibrated(model: AffectModel, stills: StillFeatures, clips: VideoFeatures) -> Quantiles:
    """From the frames of the validation videos, and for stills from the even half of the held-out ones."""
    heads = predict_held_out(model, stills)
    moving = predict_clips(model, clips.features, clips.index)
    even = slice(0, None, 2)
    truth = torch.from_numpy(stills.held_out.stills.affect)
    return Quantiles(
        stream=conformal_quantiles(moving[AFFECT], moving[AFFECT_SPREAD], clips.truth),
        still=conformal_quantiles(heads[AFFECT][even], heads[AFFECT_SPREAD][even], truth[even]),
    )


def final_report(
    model: AffectModel, stills: StillFeatures, reported: VideoFeatures, quantiles: Quantiles
) -> dict[str, object]:
    """Every figure of the finished model with its 95 % bootstrap interval over pictures or over persons."""
    averaged = predict_held_out(model, stills)
    truth = torch.from_numpy(stills.held_out.stills.affect)
    moving = predict_clips(model, reported.features, reported.index)
    people = [video.person for video in reported.videos for _ in video.pictures]
    odd = slice(1, None, 2)
    return {
        "stills": _rounded(score_stills(stills.held_out, averaged[EMOTION_HEAD], averaged[AFFECT])),
        "stills_ccc_95": _interval(averaged[AFFECT], truth, [str(row) for row in range(len(truth))]),
        "stills_count": len(truth),
        "clips": _rounded(clip_scores(reported, moving[AFFECT])),
        "clips_ccc_95": _interval(moving[AFFECT], reported.truth, people),
        "clips_people": len(set(people)),
        "coverage_stills": _rounded(
            coverage(averaged[AFFECT][odd], averaged[AFFECT_SPREAD][odd], truth[odd], quantiles.still)
        ),
        "coverage_clips": _rounded(coverage(moving[AFFECT], moving[AFFECT_SPREAD], reported.truth, quantiles.stream)),
    }


def validation_features(recipe: Recipe, encoder: Encoder, corpus: Corpus) -> tuple[StillFeatures, VideoFeatures]:
    """What stage 2 is scored and calibrated on."""
    return encode_held_out(recipe, encoder, corpus.held_out), encode_videos(recipe, encoder, corpus.valid_videos)


def _interval(pred: Tensor, truth: Tensor, groups: list[str]) -> dict[str, list[float]]:
    if len(set(groups)) < 2:  # nothing to draw from
        return {}
    found = bootstrap_interval(ccc, pred, truth, groups, resamples=300)
    pairs = zip(found.low.tolist(), found.high.tolist(), strict=True)
    return {name: [round(low, 3), round(high, 3)] for name, (low, high) in zip(AFFECT_LABELS, pairs, strict=True)}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
