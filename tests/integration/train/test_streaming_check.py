"""Nothing is written that would stream something else than the trained model says."""

from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor, nn

from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import ContextSpec
from train.bundle.declared import AFFECT
from train.bundle.streaming_check import OfflineModel, check_streaming
from train.data.stills import EMOTIONS
from train.errors import TrainingError
from train.methods.relational.bundle import Trained, export_bundle
from train.methods.relational.calibrate import Quantiles
from train.methods.relational.model import AFFECT_SPREAD, EMOTION_HEAD, AffectModel, ExportedHeads
from train.methods.relational.recipe import Recipe, load_recipe
from train.models.frame_encoder import FrameEncoder

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "relational" / "smoke.toml"
ONES = {"valence": 1.0, "arousal": 1.0}
OUTPUTS = [AFFECT, AFFECT_SPREAD, EMOTION_HEAD]


@pytest.fixture(scope="module", params=[0, 1], ids=["live", "one future clip"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return msgspec.structs.replace(load_recipe(SMOKE), context=ContextSpec(past=2, future=request.param))


@pytest.fixture(scope="module")
def trained(recipe: Recipe) -> Trained:
    torch.manual_seed(0)
    encoder = FrameEncoder(recipe.frame.dim, widths=recipe.frame.widths, depths=recipe.frame.depths).eval()
    model = AffectModel(
        encoder.dim, frames=recipe.clip.frames, past=recipe.context.past, emotions=len(EMOTIONS),
        heads=2, layers=1, feedforward=16,
    ).eval()  # fmt: skip
    return Trained(recipe, encoder, model, Quantiles(ONES, ONES), {}, [])


@pytest.fixture(scope="module")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    target = tmp_path_factory.mktemp("export") / "bundle"
    export_bundle(trained, target, SMOKE.name, lambda _manifest: "")
    return load_bundle(target)


class Late(nn.Module):
    """A clip encoder that weighs the newest frame otherwise than the one that was exported."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.encoder(torch.cat([features[:, :1], features[:, :-1]], dim=1))
        return out


class BlindToContext(nn.Module):
    """Heads that take the whole context as missing."""

    def __init__(self, heads: nn.Module, past: int) -> None:
        super().__init__()
        self.heads = heads
        self.past = past

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        own = torch.zeros_like(valid)
        own[:, self.past] = True
        out: tuple[Tensor, ...] = self.heads(clip, context, own)
        return out


def test_an_exported_bundle_passes(bundle: Bundle, trained: Trained) -> None:
    heads = ExportedHeads(trained.model, OUTPUTS)
    check_streaming(bundle, OfflineModel(trained.encoder, trained.model.clip_encoder, heads, OUTPUTS))


def test_graphs_do_not_tell_where_they_were_made(bundle: Bundle) -> None:
    for role in bundle.manifest.graphs:
        for one in (bundle, load_bundle()):
            assert b'.py", line' not in one.graph_path(role).read_bytes()


def test_a_clip_that_is_one_frame_late_is_noticed(bundle: Bundle, trained: Trained) -> None:
    offline = OfflineModel(
        trained.encoder, Late(trained.model.clip_encoder), ExportedHeads(trained.model, OUTPUTS), OUTPUTS
    )
    with pytest.raises(TrainingError, match=r"the stream differs from torch .* the bundle was not written"):
        check_streaming(bundle, offline)


def test_a_context_that_is_not_looked_at_is_noticed(bundle: Bundle, trained: Trained) -> None:
    heads = BlindToContext(ExportedHeads(trained.model, OUTPUTS), trained.recipe.context.past)
    with pytest.raises(TrainingError, match="at step"):
        check_streaming(bundle, OfflineModel(trained.encoder, trained.model.clip_encoder, heads, OUTPUTS))


def test_the_bundle_that_was_there_stays_where_the_stream_would_differ(
    bundle: Bundle, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime takes clips one frame late, as after a mistake in its buffer."""
    from streamaffect.affect.clips import ClipBuffer, ClipView

    exact = ClipBuffer.clip

    def late(self: ClipBuffer, *, end_s: float) -> ClipView:
        view = exact(self, end_s=end_s - trained.recipe.clip.period_s)
        return ClipView(end_s, view.features, view.genuine)

    monkeypatch.setattr(ClipBuffer, "clip", late)
    before = {file.name: file.read_bytes() for file in bundle.path.iterdir()}
    with pytest.raises(TrainingError, match="the stream differs"):
        export_bundle(trained, bundle.path, SMOKE.name, lambda _manifest: "")
    assert {file.name: file.read_bytes() for file in bundle.path.iterdir()} == before
    assert [path.name for path in bundle.path.parent.iterdir()] == ["bundle"]
