"""A whole run: prepare, both stages, calibration, figures and export. Every finished step is kept and not repeated.

runs/<recipe>/prepared/  faces of the videos
runs/<recipe>/frame/     checkpoints and metrics of stage 1
runs/<recipe>/features/  cached features for stage 2
runs/<recipe>/clips/     checkpoints and metrics of stage 2
runs/<recipe>/report.json, report.md, run.json
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import msgspec
import numpy as np
import torch
from lightning_fabric import Fabric

from streamaffect.errors import ConfigError
from streamaffect.runtime.bundle import MANIFEST, load_bundle
from streamaffect.runtime.manifest import Manifest
from streamaffect.types import ImageArray

from ...bundle.card import model_card, notes_path
from ...bundle.declared import AFFECT
from ...bundle.source_statistics import SourceStatistics, source_statistics, write_statistics
from ...bundle.variants import CALIBRATION_CROPS, add_variants
from ...data.clips import ClipIndex, index_sequence, index_stills, join
from ...data.prepare import prepare_videos
from ...data.sets.ferplus import CIRCUMPLEX
from ...data.sets.ferplus_published import pack_published
from ...data.stills import EMOTIONS, Stills
from ...loop.context import Context, Report
from ...loop.ema import average_into
from ...loop.report import write_report
from ...models.frame_encoder import FrameEncoder
from .bundle import Trained, export_bundle
from .calibrate import Quantiles
from .clip_stage import CachedClips, ClipTask, clip_vectors
from .data.corpus import HELD, PREPARED, Corpus, load_corpus, to_prepare, with_video_frames
from .data.sources import video_stills
from .encoders import Encoder
from .evaluate import calibrated, encode_videos, final_report, held_out_scores, predict_held_out, validation_features
from .features import augmented_features, cached, plain_features
from .frame_stage import FRAMES, FrameModel, FrameTask, load_trained, plain_crops
from .from_bundle import load_exported_encoder
from .model import EMOTION_HEAD, AffectModel
from .recipe import Recipe

FAST_LAYOUT = torch.channels_last  # convolutions in bfloat16 run on matrix units only in this layout
CLIPS = "clips"  # folder of a run
UNFOLDED_WITH = 512  # pictures that a bundle's encoder gets its normalisation back from


def run(recipe: Recipe, context: Context) -> Report:
    """Train both stages, or go on; calibrate and score; write the bundle. Returns quantiles and metrics.

    Raises ConfigError, DataError or TrainingError.
    """
    work = Run(recipe, context)
    if context.trains:
        prepare(recipe, context)
        work.fit()
    context.leave()
    if not context.is_first:
        return {}
    report = work.evaluate()
    context.export(lambda target: work.export(report, target))
    return report


def prepare(recipe: Recipe, context: Context) -> Report:
    """Pack published tables and cut the faces of the recipe's videos, where that was not done before."""
    note = context.progress.note
    with context.fabric.rank_zero_first():
        if recipe.data.kind == "faces" and (told := pack_published(context.data_folder(HELD))) is not None:
            note("ferplus", told)
        plan = to_prepare(recipe, context)
        if plan.videos:
            on_done = context.progress.videos(len(plan.videos))
            shards = context.folder / PREPARED
            prepared = prepare_videos(plan.videos, shards, frames=plan.frames, gap_s=plan.gap_s, on_done=on_done)
            note("videos", prepared.summary())
    return {}


def quantise(recipe: Recipe, context: Context) -> Report:
    """Give the bundle at `context.target` an int8 frame encoder, calibrated on this recipe's training data.

    Raises BundleError, ConfigError, DataError or TrainingError.
    """
    size = load_bundle(context.target).manifest.crop.size
    if size != recipe.crop.size:
        raise ConfigError(
            f"{context.target}: takes crops of {size} pixels, this recipe cuts {recipe.crop.size}; name its own recipe"
        )
    prepare(recipe, context)
    crops = Run(recipe, context).calibration_crops()
    manifest = add_variants(context.target, crops)
    context.progress.note(manifest.label, f"has an int8 frame encoder, calibrated on {len(crops)} pictures")
    return {}


@dataclass(frozen=True)
class Run:
    """One recipe in its context."""

    recipe: Recipe
    context: Context

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.context.folder

    @property
    def fabric(self) -> Fabric:
        """Devices and precision."""
        return self.context.fabric

    @cached_property
    def corpus(self) -> Corpus:
        """All data; loading takes some seconds."""
        return load_corpus(self.recipe, self.context)

    def fit(self) -> None:
        """Train both stages, each from its newest checkpoint."""
        self._fit_frames()
        self._fit_clips(self.frame_encoder().to(self.fabric.device))

    def evaluate(self) -> Report:
        """Calibrate and score, and write `report.md` with its pictures."""
        encoder, model = self._trained()
        stills, valid = validation_features(self.recipe, encoder, self.corpus)
        quantiles = calibrated(model, stills, valid)
        reported = encode_videos(self.recipe, encoder, self.corpus.report_videos)
        report: Report = {
            "quantiles": msgspec.to_builtins(quantiles),
            "metrics": final_report(model, stills, reported, quantiles),
        }
        truth = torch.from_numpy(self.corpus.held_out.stills.affect)
        write_report(self.folder, report, predict_held_out(model, stills)[AFFECT], truth)
        return report

    def export(self, report: Report, target: Path) -> Manifest:
        """Write the bundle of a run with this report."""
        encoder, model = self._trained()
        quantiles = msgspec.convert(report["quantiles"], Quantiles)
        metrics = msgspec.convert(report["metrics"], dict[str, object])
        crops = self.calibration_crops() if isinstance(encoder, FrameEncoder) else None
        trained = Trained(self.recipe, encoder, model, quantiles, metrics, self.corpus.names, crops)
        file = self.context.recipe_file
        manifest = export_bundle(trained, target, file.name, lambda one: model_card(one, notes_path(file)))
        if manifest.head(EMOTION_HEAD) is not None:
            write_statistics(self.source_statistics(encoder, model), target, manifest, EMOTION_HEAD)
        return manifest

    def calibration_crops(self) -> ImageArray:
        """Pictures that stage 1 was trained on, as often as it met them: (M, S, S, 3) uint8 RGB, as the stream cuts."""
        stills, weights = with_video_frames(self.corpus, self.recipe)
        count = min(CALIBRATION_CROPS, len(stills))
        chosen = np.random.default_rng(self.recipe.seed).choice(
            len(stills), count, replace=False, p=weights.astype(np.float64) / weights.sum(dtype=np.float64)
        )
        crops = plain_crops(stills.take(chosen), range(count), self.recipe.crop.size, mirrored=False)
        return np.repeat(crops[..., None], 3, axis=3) if crops.ndim == 3 else crops

    def source_statistics(self, encoder: Encoder, model: AffectModel) -> SourceStatistics:
        """Of the clip vectors that stage 2 was trained on, each as often as it was met; what `personalise` needs."""
        corpus, share = self.corpus, self.recipe.temporal.videos_share
        frames = video_stills(corpus.videos, self.recipe.crop)
        moving = join([index_sequence(video.time_s, self.recipe.clip, self.recipe.context) for video in corpus.videos])
        alone = index_stills(len(corpus.clip_stills), self.recipe.clip, self.recipe.context)
        videos = _equal_shares([number for number, video in enumerate(corpus.videos) for _ in video.pictures])
        clips, weights = [], []
        for name, stills, index, met, part in (
            ("stills", corpus.clip_stills, alone, corpus.weights, 1 - share),
            ("videos", frames, moving, videos, share),
        ):
            make = partial(plain_features, encoder, stills, self.recipe.crop.size, mirrored=False)
            features = cached(self.folder / "features" / f"{name}-0.npy", make)
            clips.append(clip_vectors(model, features, index))
            weights.append(part * met / met.sum())
        return source_statistics(
            torch.cat(clips),
            torch.from_numpy(np.concatenate([corpus.clip_stills.emotions, frames.emotions])),
            EMOTIONS,
            torch.from_numpy(np.concatenate(weights)),
        )

    def frame_encoder(self) -> Encoder:
        """The finished encoder of stage 1; raises TrainingError where there is none."""
        frame = FrameModel(self.recipe.frame)
        self.context.load(frame, self.recipe.frame.optimiser, FRAMES)
        if self.recipe.frame.keep_start > 0:
            start = FrameModel(self.recipe.frame)
            self._start(start)
            average_into(frame.encoder, start.encoder, self.recipe.frame.keep_start)
        frame.to(memory_format=FAST_LAYOUT)  # type: ignore[call-overload]
        return frame.eval().encoder

    def _fit_frames(self) -> None:
        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        stills, weights = with_video_frames(self.corpus, recipe)
        task = FrameTask(recipe.frame, stills, weights, self.corpus.held_out, size=recipe.crop.size, seed=recipe.seed)
        if recipe.frame.start_from:
            self._start(task.model)
        task.model.to(memory_format=FAST_LAYOUT)  # type: ignore[call-overload]
        self.context.fit(task, recipe.frame.optimiser, FRAMES)

    def _start(self, model: FrameModel) -> None:
        """Fill a new model with the weights of a finished run, or its encoder with that of a bundle."""
        folder = Path(self.recipe.frame.start_from)
        if not (folder / MANIFEST).is_file():
            load_trained(model, folder)
            return
        if not isinstance(model.encoder, FrameEncoder):
            raise ConfigError(
                "frame.start_from: a bundle continues the small encoder alone; leave out frame.pretrained"
            )
        stills, _ = with_video_frames(self.corpus, self.recipe)
        rows = np.random.default_rng(self.recipe.seed).choice(len(stills), UNFOLDED_WITH)
        crops = plain_crops(stills.take(rows), range(UNFOLDED_WITH), self.recipe.crop.size, mirrored=False)
        load_exported_encoder(folder, model.encoder, torch.from_numpy(crops))

    def _fit_clips(self, encoder: Encoder) -> None:
        recipe, settings = self.recipe, self.recipe.temporal
        sets = self.clip_sets(encoder)
        torch.manual_seed(recipe.seed)
        task = ClipTask(
            self.affect_model(past=recipe.context.past),
            sets,
            [1 - settings.videos_share, settings.videos_share],
            settings.loss,
            held_out_scores(*validation_features(recipe, encoder, self.corpus)),
            batch=settings.optimiser.batch,
            batches_per_epoch=settings.batches_per_epoch,
            seed=recipe.seed,
        )
        self.context.fit(task, settings.optimiser, CLIPS)

    def clip_sets(self, encoder: Encoder) -> list[CachedClips]:
        """What stage 2 learns from, stills and videos, with features made once and then read from the run's folder."""
        recipe, corpus = self.recipe, self.corpus
        frames = video_stills(corpus.videos, recipe.crop)
        index = join([index_sequence(video.time_s, recipe.clip, recipe.context) for video in corpus.videos])
        sequences = [number for number, video in enumerate(corpus.videos) for _ in video.pictures]
        singles = list(range(len(sequences), len(sequences) + len(corpus.stills)))
        alone = index_stills(len(corpus.stills), recipe.clip, recipe.context)
        still_views = self._views("stills", encoder, corpus.clip_stills, singles)
        video_views = self._views("videos", encoder, frames, sequences)
        return [
            _clip_set(still_views, alone, corpus.clip_stills, corpus.weights),
            _clip_set(video_views, index, frames, _equal_shares(sequences)),
        ]

    def _views(self, name: str, encoder: Encoder, stills: Stills, sequences: list[int]) -> list[torch.Tensor]:
        """Features of the plain pictures, of their mirror images and of augmented versions, each (N, D)."""
        size, settings = self.recipe.crop.size, self.recipe.temporal
        augmented = partial(
            augmented_features, encoder, stills, sequences, size=size, config=settings.augment, seed=self.recipe.seed
        )
        makers: list[Callable[[], torch.Tensor]] = [
            partial(plain_features, encoder, stills, size, mirrored=False),
            partial(plain_features, encoder, stills, size, mirrored=True),
            *(partial(augmented, view=view) for view in range(settings.views)),
        ]
        folder = self.folder / "features"
        views = []
        for number, make in enumerate(makers):
            with self.fabric.rank_zero_first(), self.fabric.autocast():
                views.append(cached(folder / f"{name}-{number}.npy", make))
            self.context.progress.note(f"features of {name}", f"{number + 1} of {len(makers)}")
        return views

    def affect_model(self, *, past: int) -> AffectModel:
        """A new model of stage 2; past: place of the query clip in its context."""
        recipe, settings = self.recipe, self.recipe.temporal
        return AffectModel(
            recipe.frame.dim, frames=recipe.clip.frames, past=past, emotions=len(EMOTIONS),
            heads=settings.heads, layers=settings.layers, feedforward=settings.feedforward,
            circumplex=CIRCUMPLEX, circumplex_share=settings.circumplex_share,
        )  # fmt: skip

    def _trained(self) -> tuple[Encoder, AffectModel]:
        model = self.affect_model(past=self.recipe.context.past)
        self.context.load(model, self.recipe.temporal.optimiser, CLIPS)
        return self.frame_encoder(), model.eval()


def _clip_set(views: list[torch.Tensor], index: ClipIndex, stills: Stills, weights: np.ndarray) -> CachedClips:
    return CachedClips(views, index, torch.from_numpy(stills.emotions), torch.from_numpy(stills.affect), weights)


def _equal_shares(sequences: list[int]) -> np.ndarray:
    """Weights of frames such that a video counts by the root of its length: long ones more, but not in proportion."""
    lengths = np.bincount(sequences)
    return np.asarray([1 / np.sqrt(lengths[number]) for number in sequences], np.float64)
