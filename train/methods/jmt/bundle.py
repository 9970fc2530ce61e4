"""The joint multimodal transformer as a bundle: it runs on pictures alone, and with sound where somebody listens.

`context_head` is the fusion with no step heard, over the clip and those before it: what the stream publishes while
nothing is. `audio_encoder` makes the feature of a step from its sound, and `fusion_head` is the same fusion over any
number of steps with both modalities, each step marked as heard and as seen or not.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import (
    AUDIO_ENCODER,
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    FUSION_HEAD,
    ContextSpec,
    LogMelSpec,
    Manifest,
    SoundSpec,
)

from ...audiovisual.log_mel import LogMelConfig
from ...audiovisual.spectrogram_encoder import SoundEncoder, SpectrogramEncoder
from ...bundle.declared import AFFECT, affect_head, declared_on
from ...bundle.graphs import Graph, TracedGraph, head_examples
from ...bundle.writer import taken_over, write_bundle
from ...data.backbone import VisualBackbone
from .model import JointMultimodalTransformer
from .recipe import JmtRecipe


def export_jmt(
    model: JointMultimodalTransformer,
    audio: SpectrogramEncoder | None,
    recipe: JmtRecipe,
    backbone: VisualBackbone,
    target: Path,
    *,
    metrics: Mapping[str, float],
    audio_dim: int,
    steps: int,
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    audio: None if the audio features are those of another backbone; the bundle then has no graph for it
    steps: S, of the windows that it was trained on

    Raises:
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    model, context = model.cpu(), ContextSpec(past=steps - 1, future=0)
    window = window_examples(backbone.dim, audio_dim, steps)
    graphs: dict[str, Graph] = {
        **taken_over(backbone.bundle, FRAME_ENCODER, CLIP_ENCODER),
        CONTEXT_HEAD: TracedGraph(PicturesAlone(model, audio_dim), head_examples(backbone.dim, context), [AFFECT]),
        FUSION_HEAD: TracedGraph(BoundedFusion(model), window, [AFFECT], lengths={1: "T"}),
    }
    if audio is not None:
        graphs[AUDIO_ENCODER] = _hearing(recipe.sound, audio.cpu())
    declared = declared_on(
        backbone.bundle.manifest,
        name=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data],
        clip=backbone.clip,
        context=context,
        heads=[affect_head()],
        metrics=metrics,
        sound=None if audio is None else sound_spec(recipe.sound),
    )
    return write_bundle(graphs, declared.manifest, target)


def _hearing(sound: LogMelConfig, audio: SpectrogramEncoder) -> TracedGraph:
    samples = 0.1 * torch.randn(2, sound.least_samples, generator=torch.Generator().manual_seed(0))
    return TracedGraph(SoundEncoder(sound, audio), {"samples": samples}, ["audio"])


def sound_spec(config: LogMelConfig) -> SoundSpec:
    """What the manifest says of the front end."""
    log_mel = LogMelSpec(
        config.bands, config.fft, config.window, config.hop, config.mean_db, config.deviation_db
    )  # fmt: skip
    return SoundSpec(config.rate_hz, config.least_samples, log_mel)


class BoundedFusion(nn.Module):
    """visual (N, T, V), audio (N, T, A), heard, valid and seen (N, T) bool → (N, T, 2), clipped to [-1, 1]."""

    def __init__(self, model: JointMultimodalTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, visual: Tensor, audio: Tensor, heard: Tensor, valid: Tensor, seen: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """As published, predictions are clipped to the range of the labels."""
        out: Tensor = self.model(visual, audio, heard, valid, seen)
        return out.clamp(-1, 1)


class PicturesAlone(nn.Module):
    """clip (N, V), context (N, S, V), valid (N, S) bool → (N, 2): the last step of a window in which nothing is heard.

    The clip stands last in its own context.
    """

    def __init__(self, model: JointMultimodalTransformer, audio_dim: int) -> None:
        super().__init__()
        self.fusion = BoundedFusion(model)
        self.audio_dim = audio_dim

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        """The same weights as with sound."""
        visual = torch.cat([context[:, :-1], clip.unsqueeze(1)], dim=1)
        silence = visual.new_zeros(1, 1, self.audio_dim).expand(visual.shape[0], visual.shape[1], -1)
        out: Tensor = self.fusion(visual, silence, torch.zeros_like(valid), valid)
        return out[:, -1]


def window_examples(dim: int, audio_dim: int, steps: int) -> dict[str, Tensor]:
    """Two windows to trace a fusion with; of the second the first half is missing."""
    generator = torch.Generator().manual_seed(1)
    steps = max(3, steps)  # a length of 1 would be taken for a constant
    heard, seen = torch.rand(2, 2, steps, generator=generator) > 0.5
    valid = torch.ones(2, steps, dtype=torch.bool)
    valid[1, : steps // 2] = False
    return {
        "visual": torch.randn(2, steps, dim, generator=generator),
        "audio": torch.randn(2, steps, audio_dim, generator=generator),
        "heard": heard,
        "valid": valid,
        "seen": seen,
    }
