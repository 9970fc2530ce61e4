"""What the stream publishes of a real video equals the torch model on the whole video, at every step.

The model has random weights. The stream runs it as an exported bundle, frame by frame, with detector and tracker as
they are; torch encodes all crops of the video at once and takes clips and contexts by their definition.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

import streamaffect
from streamaffect.config import load_config
from streamaffect.messages import Estimate
from streamaffect.pipeline.opening import open_streams
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import ContextSpec
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import ImageArray
from tests.support.bundles import write_bundle
from tests.support.clip_oracle import Geometry, OraclePrediction, predictions
from train.bundle.declared import AFFECT
from train.data.stills import EMOTIONS
from train.methods.relational.bundle import Trained, export_bundle
from train.methods.relational.calibrate import Quantiles
from train.methods.relational.model import EMOTION_HEAD, AffectModel
from train.methods.relational.recipe import load_recipe
from train.models.frame_encoder import FrameEncoder

RECIPE = Path(__file__).parents[3] / "configs" / "train" / "relational" / "smoke.toml"
ONES = {"valence": 1.0, "arousal": 1.0}
SECONDS = 3.0
TOLERANCE = 1e-4
TICKS_PER_S = 1_000_000
DIM = 48  # with the few features of the recipe all that an output reads may be cut off by its ReLU
SPREAD = 0.2  # of valence and arousal over the video


@dataclass(frozen=True)
class Exported:
    """One model twice: in torch, and as a bundle."""

    encoder: FrameEncoder
    model: AffectModel
    bundle: Bundle

    @property
    def geometry(self) -> Geometry:
        manifest = self.bundle.manifest
        period = round(manifest.clip.period_s * TICKS_PER_S)
        return Geometry(manifest.clip.frames, period, manifest.context.past, manifest.context.future)


@dataclass(frozen=True)
class Track:
    """Everything that the face stage says of one face: seconds, and the crop where it was seen."""

    time_s: list[float]
    crops: list[ImageArray | None]


@dataclass(frozen=True)
class WholeVideo:
    """Rows of all predictions of a track, in the order of `made`."""

    made: list[OraclePrediction]
    affect: np.ndarray
    emotions: np.ndarray


@pytest.fixture(scope="module", params=[0, 1], ids=["live", "one future clip"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    recipe = msgspec.structs.replace(load_recipe(RECIPE), context=ContextSpec(past=2, future=request.param))
    folder = tmp_path_factory.mktemp("parity")
    torch.manual_seed(4)
    encoder = FrameEncoder(DIM, widths=recipe.frame.widths, depths=recipe.frame.depths).eval()
    temporal = recipe.temporal
    model = AffectModel(
        DIM, frames=recipe.clip.frames, past=recipe.context.past, emotions=len(EMOTIONS),
        heads=temporal.heads, layers=temporal.layers, feedforward=temporal.feedforward,
    ).eval()  # fmt: skip
    stretch(encoder, model, recipe.clip.frames, look(load_bundle(write_bundle(folder / "crops"))))
    trained = Trained(recipe, encoder, model, Quantiles(ONES, ONES), {}, [])
    export_bundle(trained, folder / "bundle", RECIPE.name, lambda _manifest: "A model with random weights.\n")
    return Exported(encoder, model, load_bundle(folder / "bundle"))


@torch.no_grad()
def stretch(encoder: FrameEncoder, model: AffectModel, frames: int, tracks: dict[int, Track]) -> None:
    """Let frames differ: to random weights all frames of a face look alike, and a wrong clip would pass the test.

    The encoder's batch normalisation takes the statistics of this video; valence and arousal are rescaled.
    """
    (track,) = tracks.values()
    crops = torch.from_numpy(np.stack([crop for crop in track.crops if crop is not None]))
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain average over all batches
            module.reset_running_stats()
    encoder.train()(crops)
    features = encoder.eval()(crops)
    clips = model.clip_encoder(features[:, None].expand(-1, frames, -1))
    affect = model.heads(clips, clips[:, None], torch.ones(len(clips), 1, dtype=torch.bool))[AFFECT]
    for column, part in enumerate(list(model.context_head.readout.parts)[:2]):
        assert isinstance(part, nn.Linear)
        factor = SPREAD / affect[:, column].std()
        part.bias.sub_(affect[:, column].mean()).mul_(factor)
        part.weight.mul_(factor)


def look(bundle: Bundle) -> dict[int, Track]:
    """The demo clip through the stream's own face stage, by track."""
    (stream,) = open_streams([str(DEMO_CLIP)], load_config(), bundle)
    tracks: dict[int, Track] = defaultdict(lambda: Track([], []))
    try:
        while (frame := stream.source.read()) is not None and frame.time_s < SECONDS:
            for sighting in stream.faces.look(frame).faces:
                tracks[sighting.track].time_s.append(frame.time_s)
                tracks[sighting.track].crops.append(sighting.crop)
    finally:
        stream.close()
    return dict(tracks)


@torch.inference_mode()
def whole_video(track: Track, exported: Exported) -> WholeVideo:
    """All predictions of a track from all of its crops at once."""
    ticks = [round(time_s * TICKS_PER_S) for time_s in track.time_s]
    made = predictions(ticks, [crop is not None for crop in track.crops], exported.geometry)
    seen = [crop for crop in track.crops if crop is not None]
    row_of = {i: row for row, i in enumerate(i for i, crop in enumerate(track.crops) if crop is not None)}
    features = exported.encoder(torch.from_numpy(np.stack(seen)))  # (N, D)
    first = [one for one in made if not one.is_refinement]
    samples = [[row_of[i] for i in one.clip.features] for one in first if one.clip is not None]
    clips = exported.model.clip_encoder(features[torch.tensor(samples)])  # (M, C), one per observation
    contexts = [one.context for one in made if one.context is not None]
    assert len(samples) == len(first)
    assert len(contexts) == len(made)
    heads = exported.model.heads(
        clips[[one.of for one in made]],
        clips[torch.tensor([context.clips for context in contexts])],
        torch.tensor([context.valid for context in contexts]),
    )
    return WholeVideo(made, heads[AFFECT].numpy(), heads[EMOTION_HEAD].softmax(dim=1).numpy())


def published(exported: Exported) -> dict[int, list[Estimate]]:
    """What the stream says, by track."""
    by_track: dict[int, list[Estimate]] = defaultdict(list)
    for estimate in streamaffect.analyze(DEMO_CLIP, bundle=exported.bundle, run={"max_seconds": SECONDS}):
        by_track[estimate.track].append(estimate)
    return dict(by_track)


def test_every_published_estimate_equals_torch_on_the_whole_video(exported: Exported) -> None:
    tracks, streamed = look(exported.bundle), published(exported)
    assert streamed.keys() == tracks.keys()
    assert len(tracks) > 0
    for number, track in tracks.items():
        expected = whole_video(track, exported)
        assert len(streamed[number]) == len(expected.made)
        assert np.abs(expected.affect).max() < 1  # else clipping would hide a difference
        assert expected.affect.std(axis=0).min() > 100 * TOLERANCE  # else a wrong clip would pass
        found = streamed[number]
        assert [estimate.pts_s for estimate in found] == [track.time_s[one.of] for one in expected.made]
        assert [estimate.refines is not None for estimate in found] == [one.is_refinement for one in expected.made]
        affect = np.array([(estimate.valence, estimate.arousal) for estimate in found])
        shares = np.array([[estimate.outputs[EMOTION_HEAD][name] for name in EMOTIONS] for estimate in found])
        np.testing.assert_allclose(affect, expected.affect, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(shares, expected.emotions, atol=TOLERANCE, rtol=0)


def test_the_clip_is_long_enough_for_full_contexts_and_for_refinements(exported: Exported) -> None:
    (track,) = look(exported.bundle).values()
    ticks = [round(time_s * TICKS_PER_S) for time_s in track.time_s]
    made = predictions(ticks, [crop is not None for crop in track.crops], exported.geometry)
    assert sum(one.context is not None and one.context.fill == 1.0 for one in made) > 10
    assert any(one.is_refinement for one in made) == (exported.geometry.future > 0)
