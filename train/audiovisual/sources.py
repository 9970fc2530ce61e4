"""Where audio-visual steps come from: one's own clips with their sound, Aff-Wild2's folders, or a generator."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.backbone import VisualBackbone
from ..data.clip_faces import ClipFaces, read_face
from ..data.labelled_clips import AFFECT_LABELS, TABLE, clip_records
from ..data.records import ClipRecord
from ..data.sets.aff_wild2_windows import SPAN, SUB_CLIPS, SubClip, load_windows
from ..errors import DataError
from .log_mel import LogMelConfig, log_mel
from .sound import Sound, read_sound
from .steps import StepWindows, hear, in_windows, join_steps, recorded_steps

AFF_WILD2_FPS = 30.0


def clip_steps(
    root: Path,
    shards: Path,
    backbone: VisualBackbone,
    mel: LogMelConfig,
    *,
    steps: int,
    note: Callable[[str, str], None],
) -> tuple[StepWindows, StepWindows]:
    """The clips of `clips.csv` below `root`: the splits train and valid. A window ends once a step.

    shards: where the faces of its videos are kept. note: gets the name and fate of each video

    Raises:
        DataError: the table is wrong, a split has no clip that shows a face, or a sound is damaged.
    """
    records = [record for record in clip_records(root) if record.split in ("train", "valid")]
    faces = ClipFaces(root, shards, backbone.bundle.manifest.crop, every=1)
    shown = faces.prepare(records, note)
    found = []
    for split in ("train", "valid"):
        parts = [_clip(one, faces, backbone, mel, steps) for one in shown if one.split == split]
        if not parts:
            raise DataError(f"{root / TABLE}: no clip of the split {split} shows a face; training needs some")
        found.append(join_steps(parts))
    return found[0], found[1]


def aff_wild2_steps(
    root: Path, part: str, backbone: VisualBackbone, mel: LogMelConfig, *, every: int
) -> tuple[StepWindows, list[Tensor]]:
    """The windows of one part of Aff-Wild2 ("Train_Set", "Val_Set"), see `load_windows`. Windows share no step.

    The clip of a step is its sub-clip of 32 frames, thinned to the T faces that the backbone takes. Beside the steps,
    the rows of each video's steps in the order of their last frames, which are neighbours where `every` is 1.

    Raises:
        DataError: the part is missing or a file of it cannot be read.
    """
    windows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    frames: dict[str, list[int]] = defaultdict(list)  # by video, the last one of each of its steps
    rows: dict[str, list[int]] = defaultdict(list)
    for video, steps in load_windows(root, part, keep=backbone.clip.frames, every=every):
        rows[video] += range(SUB_CLIPS * len(windows), SUB_CLIPS * (len(windows) + 1))
        frames[video] += [step.frame for step in steps]
        windows.append(_window(steps, backbone, mel))
    if not windows:
        raise DataError(f"{root / 'VA_annotations' / part}: no window of {SPAN * SUB_CLIPS} frames shows a face "
                        "in each of its sub-clips")  # fmt: skip
    series = [torch.tensor(rows[video])[torch.tensor(frames[video]).argsort()] for video in rows]
    return in_windows(*(torch.stack(tensors) for tensors in zip(*windows, strict=True))), series


def aff_wild2_period_s(frames: int) -> float:
    """Seconds between the `frames` faces of a sub-clip."""
    return SPAN / AFF_WILD2_FPS / frames


def drawn_steps(dim: int, mel: LogMelConfig, *, windows: int, steps: int, shared: int, seed: int) -> StepWindows:
    """Slow waves of affect under noise: valence shows in the face, arousal is the pitch of a voice.

    dim: V. shared: seed of what a data set has in common; seed: of these windows
    """
    fixed, generator = (torch.Generator().manual_seed(number) for number in (shared, seed))
    direction, offset = torch.randn(2, dim, generator=fixed)
    phase, pace = torch.rand(2, 2, windows, 1, generator=generator)
    affect = torch.sin(2 * torch.pi * (phase + (0.02 + 0.06 * pace) * torch.arange(steps)))  # (2, N, S)
    noise = torch.randn(windows, steps, dim, generator=generator)
    visual = affect[0].unsqueeze(-1) * direction + offset + 0.8 * noise
    pitch_hz = mel.rate_hz / 16 * 2 ** affect[1].unsqueeze(-1)
    time_s = torch.arange(mel.least_samples) / mel.rate_hz
    voice = 0.3 * torch.sin(2 * torch.pi * pitch_hz * time_s)
    sound = voice + 0.1 * torch.randn(voice.shape, generator=generator)
    heard = (torch.rand(windows, 1, generator=generator) > 0.05).expand(-1, steps)
    return in_windows(visual, log_mel(sound, mel), heard, affect.permute(1, 2, 0))


def _clip(record: ClipRecord, faces: ClipFaces, backbone: VisualBackbone, mel: LogMelConfig, steps: int) -> StepWindows:
    count = faces.count(record)
    affect = np.array([[record.labels[name] for name in AFFECT_LABELS]], np.float32)
    sound = _sound_of(record.source, mel.rate_hz) if isinstance(record.source, Path) else None
    return recorded_steps(
        backbone, faces.read(record, np.arange(count)), faces.times(record), np.repeat(affect, count, axis=0),
        sound=sound, mel=mel, steps=steps, stride_s=backbone.clip.length_s,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _sound_of(video: Path, rate_hz: int) -> Sound | None:
    """Clips of one recording follow each other, and its sound is decoded once."""
    return read_sound(video, rate_hz)


def _window(
    steps: list[SubClip], backbone: VisualBackbone, mel: LogMelConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """visual (S, V), spectrograms (S, bands, t), heard (S,), labels (S, 2)."""
    files = sorted({face for step in steps for face in step.faces})
    place = {file: row for row, file in enumerate(files)}
    features = backbone.frames(np.stack([read_face(file, backbone.size) for file in files]))
    samples = np.array([[place[face] for face in step.faces] for step in steps])
    visual = torch.from_numpy(backbone.clips(features, samples))
    labels = torch.tensor([[step.valence, step.arousal] for step in steps])
    spectrograms, heard = _chunks((step.sound for step in steps), mel)
    return visual, spectrograms, heard, labels


def _chunks(files: Iterable[Path | None], mel: LogMelConfig) -> tuple[Tensor, Tensor]:
    """Sounds that end with their step, one file each."""
    parts = []
    for file in files:
        sound = None if file is None else read_sound(file, mel.rate_hz)
        parts.append(hear(sound, [0.0 if sound is None else len(sound.samples) / mel.rate_hz], mel))
    spectrograms, heard = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return spectrograms, heard
