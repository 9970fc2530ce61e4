"""The joint multimodal transformer as a bundle: it runs on pictures alone today, and holds what it hears with.

`context_head` is the fusion with no step heard, over the clip and those before it: what the stream publishes.
`audio_encoder` makes the feature of a step from its sound, and `fusion_head` is the same fusion over any number of
steps with both modalities, each step marked as heard or not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import (
    AUDIO_ENCODER,
    CONTEXT_HEAD,
    FUSION_HEAD,
    ContextSpec,
    HeadSpec,
    LogMelSpec,
    Manifest,
    OutputSpec,
    SoundSpec,
)

from ...audiovisual.log_mel import LogMelConfig
from ...audiovisual.spectrogram_encoder import SoundEncoder, SpectrogramEncoder
from ...bundle.export import TracedGraph
from ...bundle.on_backbone import Declared, write_on_backbone
from ...data.backbone import VisualBackbone
from ..relational.model import AFFECT
from .model import JointMultimodalTransformer

if TYPE_CHECKING:
    from .recipe import JmtRecipe


def export_jmt(
    model: JointMultimodalTransformer,
    audio: SpectrogramEncoder | None,
    backbone: VisualBackbone,
    target: Path,
    *,
    recipe: "JmtRecipe",
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
    graphs = {
        CONTEXT_HEAD: TracedGraph(PicturesAlone(model, audio_dim), _clip_examples(backbone.dim, steps), [AFFECT]),
        FUSION_HEAD: TracedGraph(
            BoundedFusion(model), _window_examples(backbone.dim, audio_dim, steps), [AFFECT], lengths={1: "T"}
        ),
    }
    if audio is not None:
        generator = torch.Generator().manual_seed(0)
        samples = 0.1 * torch.randn(2, recipe.sound.least_samples, generator=generator)
        graphs[AUDIO_ENCODER] = TracedGraph(SoundEncoder(recipe.sound, audio), {"samples": samples}, ["audio"])
    declared = Declared(
        recipe=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data],
        context=ContextSpec(past=steps - 1, future=0),
        heads=[HeadSpec(AFFECT, "regression", [OutputSpec(name, (-1.0, 1.0)) for name in ("valence", "arousal")])],
        metrics=metrics,
        sound=None if audio is None else sound_spec(recipe.sound),
    )
    return write_on_backbone(backbone, graphs, declared, target)


def sound_spec(config: LogMelConfig) -> SoundSpec:
    """What the manifest says of the front end."""
    log_mel = LogMelSpec(
        config.bands, config.fft, config.window, config.hop, config.mean_db, config.deviation_db
    )  # fmt: skip
    return SoundSpec(config.rate_hz, config.least_samples, log_mel)


class BoundedFusion(nn.Module):
    """visual (N, T, V), audio (N, T, A), heard and valid (N, T) bool → (N, T, 2), clipped to [-1, 1]."""

    def __init__(self, model: JointMultimodalTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, visual: Tensor, audio: Tensor, heard: Tensor, valid: Tensor) -> Tensor:
        """As published, predictions are clipped to the range of the labels."""
        out: Tensor = self.model(visual, audio, heard, valid)
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


def _clip_examples(dim: int, steps: int) -> dict[str, Tensor]:
    context = torch.randn(2, steps, dim, generator=torch.Generator().manual_seed(0))
    return {"clip": context[:, -1].contiguous(), "context": context, "valid": _some_valid(steps)}


def _window_examples(dim: int, audio_dim: int, steps: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    steps = max(3, steps)  # a length of 1 would be taken for a constant
    heard = torch.rand(2, steps, generator=generator) > 0.5
    return {
        "visual": torch.randn(2, steps, dim, generator=generator),
        "audio": torch.randn(2, steps, audio_dim, generator=generator),
        "heard": heard,
        "valid": _some_valid(steps),
    }


def _some_valid(steps: int) -> Tensor:
    """(2, S): a whole window, and one whose first half is missing."""
    valid = torch.ones(2, steps, dtype=torch.bool)
    valid[1, : steps // 2] = False
    return valid
