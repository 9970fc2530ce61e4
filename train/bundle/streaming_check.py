"""The last check before a bundle is written: the stream, frame by frame, says what torch says of the whole sequence.

The stream's side is the runtime as it is: the estimator with its buffer of clips, on ONNX Runtime. The other side knows
nothing of it: all pictures go through the torch model at once, and clips and contexts are counted out by their
definition, which is short where one picture comes each period.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.affect.estimate import Estimator, Observation, Prediction
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import ContextSpec
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import ImageArray

from ..errors import TrainingError

TOLERANCE = 1e-4  # of an output, or of the largest one where outputs are larger than 1
TRACK = ("export", 0)
CLIPS_AT_ONCE = 32
COARSE_PX = 4  # side of the random patterns that are enlarged to pictures


@dataclass(frozen=True, slots=True)
class OfflineModel:
    """The torch modules behind the three graphs; outputs: the names of what `heads` returns."""

    frame_encoder: nn.Module
    clip_encoder: nn.Module
    heads: nn.Module
    outputs: list[str]


def check_streaming(bundle: Bundle, model: OfflineModel) -> None:
    """Compare every head at every step of a sequence that fills the context, refined estimates too.

    Raises:
        TrainingError: an output differs; says which one, at which step, and by how much.
    """
    clip, context = bundle.manifest.clip, bundle.manifest.context
    crops = _random_crops((context.clips + 1) * clip.frames, bundle.manifest.crop.size)
    streamed = list(_stream(bundle, crops))
    expected = _whole_sequence(model, crops, [(now, of) for now, of, _ in streamed], clip.frames, context)
    for row, (now, _, prediction) in enumerate(streamed):
        for name, values in prediction.heads.items():
            truth = expected[name][row].numpy()
            difference = float(np.abs(values - truth).max())
            if not difference <= TOLERANCE * max(1.0, float(expected[name].abs().max())):
                raise TrainingError(
                    f"the stream differs from torch on the whole sequence by {difference:.2g} in {name} at step {now}, "
                    f"allowed is {TOLERANCE:g}; the bundle was not written"
                )


def _random_crops(count: int, size: int) -> ImageArray:
    """(count, size, size, 3) uint8: coarse patterns, since to most encoders all fine noise looks the same."""
    coarse = torch.rand(count, 3, COARSE_PX, COARSE_PX, generator=torch.Generator().manual_seed(0))
    pictures = nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    return np.ascontiguousarray((255 * pictures).permute(0, 2, 3, 1).to(torch.uint8).numpy())


def _stream(bundle: Bundle, crops: ImageArray) -> Iterator[tuple[int, int, Prediction]]:
    """The step at which each estimate is made, the step at which its clip ends, and the estimate."""
    engine = OnnxRuntimeEngine(bundle)
    estimator, period_s = Estimator(bundle, engine), bundle.manifest.clip.period_s
    try:
        for now, crop in enumerate(crops):
            step = estimator.step([Observation(TRACK, now * period_s, crop)])
            for prediction in step.predictions + step.refinements:
                yield now, round(prediction.time_s / period_s), prediction
    finally:
        engine.close()


@torch.inference_mode()
def _whole_sequence(
    model: OfflineModel, crops: ImageArray, steps: list[tuple[int, int]], frames: int, context: ContextSpec
) -> dict[str, Tensor]:
    """One row per estimate and output, by the output's name."""
    features = model.frame_encoder(torch.from_numpy(crops))  # (N, D)
    ends = torch.arange(len(crops))[:, None]
    samples = (ends + torch.arange(1 - frames, 1)).clamp(min=0)  # before the first frame stands the first one
    # In parts, since convolutions over all clips at once could fill the memory; (N, C), one that ends at each frame.
    clips = torch.cat([model.clip_encoder(features[part]) for part in torch.split(samples, CLIPS_AT_ONCE)])
    now, of = torch.tensor(steps).unbind(dim=1)
    wanted = of[:, None] + frames * torch.arange(-context.past, context.future + 1)  # (M, K)
    valid = (wanted >= 0) & (wanted <= now[:, None])
    oldest = wanted.masked_fill(~valid, len(crops)).min(dim=1, keepdim=True).values
    rows = torch.where(valid, wanted, oldest)
    found = model.heads(clips[of], clips[rows], valid)
    tensors = found if isinstance(found, tuple) else (found,)
    return dict(zip(model.outputs, tensors, strict=True))
