"""What the voice adds to the face: the joint multimodal transformer on clips of people it has never seen.

The folder holds `videos/` with a teacher's labels, which come from the face alone. Faces are those that the stream
cuts, their features those of the shipped bundle; the sound is that of the same files. The people whose split is "train"
are trained on, all others scored, as in a stream: each window ends now, and its last step counts.

    python -m benchmarks.methods.audio_visual --data faces
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from benchmarks.measures.training_run import training_context
from train.audiovisual.hearing import HearingConfig
from train.audiovisual.log_mel import LogMelConfig
from train.audiovisual.sound import read_sound
from train.audiovisual.steps import StepWindows, join_steps, recorded_steps
from train.config import OptimiserConfig
from train.data.backbone import VisualBackbone, open_backbone
from train.data.labelled_clips import AFFECT_LABELS
from train.data.prepare import prepare_videos
from train.data.videos import LabelledVideo, load_videos, read_people, teacher_rows
from train.loop.progress import Progress
from train.methods.jmt.data import JmtData
from train.methods.jmt.recipe import JmtRecipe
from train.methods.jmt.run import predict, train_audio_backbone, train_fusion, with_features
from train.methods.pkdot.data import heard_pairs
from train.methods.pkdot.recipe import PkdotRecipe
from train.methods.pkdot.run import train_parts
from train.methods.relational.data.sources import video_stills
from train.methods.relational.frame_stage import plain_crops
from train.metrics.regression import bootstrap_interval, ccc

PEOPLE = Path(__file__).parents[2] / "configs" / "train" / "relational" / "default_people.csv"
MEL = LogMelConfig(rate_hz=16000, bands=64, fft=512, window=320, hop=160, least_samples=16000)
STRIDE_S = 0.16
RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Recordings:
    """Steps of several recordings; people: (N,) whom each window shows; audible: (N,) bool, whose file has sound."""

    steps: StepWindows
    people: list[str]
    audible: Tensor


def read_recordings(
    root: Path, prepared: Path, backbone: VisualBackbone, splits: tuple[str, ...], window: int
) -> Recordings:  # fmt: skip
    """All labelled clips of the people of these splits."""
    people = read_people(PEOPLE)
    videos = [video for split in splits for video in load_videos(root, prepared, people, split)]
    parts = [_steps(video, root, backbone, window) for video in videos]
    counts = [len(part.windows) for part in parts]
    heard = torch.tensor([bool(part.heard.any()) for part in parts])
    return Recordings(
        join_steps(parts),
        [video.person for video, count in zip(videos, counts, strict=True) for _ in range(count)],
        heard.repeat_interleave(torch.tensor(counts)),
    )


def _steps(video: LabelledVideo, root: Path, backbone: VisualBackbone, window: int) -> StepWindows:
    stills = video_stills([video], backbone.bundle.manifest.crop)
    grey = plain_crops(stills, range(len(stills)), backbone.size, mirrored=False)
    return recorded_steps(
        backbone, np.repeat(grey[..., None], 3, axis=3), video.time_s, video.affect,
        sound=read_sound(root / "videos" / video.name, MEL.rate_hz), mel=MEL, steps=window, stride_s=STRIDE_S,
    )  # fmt: skip


def recipe_of(options: argparse.Namespace, seed: int, muted: float) -> JmtRecipe:
    """Of one run; `data` says nothing here, where the steps are given."""
    optimiser = OptimiserConfig(epochs=options.hearing_epochs, batch=64, lr=0.002, ema=0.98)
    hearing = HearingConfig(optimiser, widths=(8, 16, 32))
    optimiser = OptimiserConfig(epochs=options.epochs, batch=64, lr=0.001, ema=0.98)
    return JmtRecipe(
        name="audio_visual", seed=seed, data="drawn", dim=64, optimiser=optimiser, hearing=hearing, sound=MEL,
        steps=options.window, dropout=0.1, muted=muted,
    )  # fmt: skip


def fuse(
    options: argparse.Namespace, train: Recordings, valid: Recordings, seed: int, progress: Progress
) -> tuple[dict[str, Tensor], JmtData]:
    """Predictions of the last step of each window (N, 2) by arm, and both parts with features of the voice."""
    context = training_context(options.run / str(seed), progress, seed=seed)
    recipe = recipe_of(options, seed, muted=options.muted)
    encoder = train_audio_backbone(recipe, train.steps, valid.steps, context)
    data = with_features(encoder, JmtData(train.steps, valid.steps))
    both = train_fusion(recipe, data, context)
    deaf = msgspec.structs.replace(recipe, muted=1.0)
    alone = train_fusion(deaf, data, context, stage="training/video_only")
    arms = {
        "with_sound": predict(both, data.valid, is_heard=True)[:, -1],
        "without_sound": predict(both, data.valid, is_heard=False)[:, -1],
        "video_only": predict(alone, data.valid, is_heard=False)[:, -1],
    }
    return arms, data


def distil(options: argparse.Namespace, data: JmtData, seed: int, progress: Progress) -> dict[str, Any]:
    """CCC of an audio-visual teacher and of students that see alone, on the steps in which something is heard."""
    optimiser = OptimiserConfig(epochs=options.epochs, batch=128, lr=0.001, ema=0.98)
    recipe = PkdotRecipe(name="audio_visual", seed=seed, data="drawn", task="affect", dim=64, optimiser=optimiser)
    # Steps that end windows of one recording; a step is a sample here.
    context = training_context(options.run / f"{seed}_pkdot", progress, seed=seed)
    trained = train_parts(recipe, heard_pairs(data.train), heard_pairs(data.valid), context)
    return {name: scores for name, (_, scores) in trained.items()}


def compare(arms: dict[str, list[Tensor]], target: Tensor, people: list[str], rows: Tensor) -> dict[str, Any]:
    """CCC of each arm, mean over seeds, and differences from the video alone, with 95 % intervals over people."""
    chosen = [person for person, is_in in zip(people, rows.tolist(), strict=True) if is_in]
    stacked = {name: torch.cat([pred[rows] for pred in preds], dim=1) for name, preds in arms.items()}
    seeds = len(arms["video_only"])
    truth = target[rows].repeat(1, seeds)

    def mean_ccc(pred: Tensor, labels: Tensor) -> Tensor:
        return ccc(pred, labels).reshape(seeds, -1).mean(dim=0)

    def difference(pred: Tensor, labels: Tensor) -> Tensor:
        (a, b), (c, d) = pred.chunk(2, dim=1), labels.chunk(2, dim=1)
        return mean_ccc(a, c) - mean_ccc(b, d)

    figures: dict[str, Any] = {"windows": int(rows.sum()), "people": len(set(chosen))}
    for name, pred in stacked.items():
        interval = bootstrap_interval(mean_ccc, pred, truth, chosen, resamples=RESAMPLES)
        figures[name] = _by_output(mean_ccc(pred, truth), interval.low, interval.high)
        if name != "video_only":
            pair, labels = torch.cat([pred, stacked["video_only"]], dim=1), torch.cat([truth, truth], dim=1)
            interval = bootstrap_interval(difference, pair, labels, chosen, resamples=RESAMPLES)
            figures[f"{name}_minus_video_only"] = _by_output(difference(pair, labels), interval.low, interval.high)
    return figures


def _by_output(value: Tensor, low: Tensor, high: Tensor) -> dict[str, list[float]]:
    return {
        name: [round(float(part[i]), 3) for part in (value, low, high)] for i, name in enumerate(AFFECT_LABELS)
    }  # fmt: skip


def main() -> None:
    """All arms for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--run", type=Path, default=Path("runs/audio_visual"), metavar="DIR")
    parser.add_argument("--prepared", type=Path, metavar="DIR", help="faces that `train prepare` cut")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--window", type=int, default=8, help="steps of a window")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--hearing-epochs", type=int, default=6)
    parser.add_argument("--muted", type=float, default=0.2, help="share of windows trained on without their sound")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    console = Console()
    prepared = options.prepared or options.run / "prepared"
    rows = teacher_rows(options.data)
    videos = {name: options.data / "videos" / name for name in read_people(PEOPLE) if name in rows}
    with Progress(console) as progress:
        frames = {name: set(numbers) for name, numbers in rows.items()}
        prepare_videos(videos, prepared, frames=frames, gap_s=0.0, on_done=progress.note)
        backbone = open_backbone("default")
        train = read_recordings(options.data, prepared, backbone, ("train",), options.window)
        valid = read_recordings(options.data, prepared, backbone, ("valid", "report"), options.window)
        runs, students = [], []
        for seed in range(options.seeds):
            arms, data = fuse(options, train, valid, seed, progress)
            runs.append(arms)
            students.append(distil(options, data, seed, progress))
    by_arm = {name: [run[name] for run in runs] for name in runs[0]}
    target = valid.steps.labels[valid.steps.windows[:, -1]]
    figures = {
        "train": {"windows": len(train.people), "people": len(set(train.people)), "audible": int(train.audible.sum())},
        "all_held_out": compare(by_arm, target, valid.people, torch.ones_like(valid.audible)),
        "held_out_and_audible": compare(by_arm, target, valid.people, valid.audible),
        "distillation": {
            part: {name: round(float(np.mean([run[part][name] for run in students])), 3) for name in students[0][part]}
            for part in students[0]
        },
    }
    text = json.dumps(figures, indent=2)
    console.print_json(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
