"""Compound emotions from the smoke recipe to the stream: the leader alone there, all modalities by further graphs."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch

import streamaffect
from engines.cli import main as engines
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import CLIP_ENCODER
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.bundles import DIM, edit_manifest, write_bundle
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from tests.support.training.other_device import other_device
from train.cli import main
from train.data.sets.c_expr import CLASSES
from train.errors import DataError
from train.loop.checkpoint import load_finished
from train.methods.compound.bundle import (
    COMPOUND_HEAD,
    MODALITIES_HEAD,
    PRESENT,
    VIDEO_HEAD,
    export_compound,
    follower_graph,
)
from train.methods.compound.model import LFAN
from train.methods.compound.recipe import CompoundRecipe
from train.methods.compound.run import make_model
from train.methods.registry import load_recipe

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "compound" / "smoke.toml"
LENGTH = 20  # frames of the sequences; the receptive field of the smoke recipe is 13


@dataclass(frozen=True)
class Exported:
    """The trained model, and its bundle."""

    model: LFAN
    recipe: CompoundRecipe
    bundle: Bundle

    @property
    def sequences(self) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(1)
        return {name: torch.randn(1, LENGTH, width, generator=generator) for name, width in self.recipe.inputs.items()}

    def classes(self, *present: bool) -> np.ndarray:
        """(LENGTH, K) of the whole sequences at once, from torch."""
        with torch.no_grad():
            logits = self.model(self.sequences, torch.tensor(present).expand(1, LENGTH, -1))
        return np.asarray(logits.softmax(dim=2)[0].numpy())

    def clips(self, name: str) -> np.ndarray:
        """(n, T, C): all clips of a modality's sequence that are whole."""
        windows = self.sequences[name][0].unfold(0, self.model.receptive_field, 1)  # (n, C, T)
        return np.ascontiguousarray(windows.transpose(1, 2).numpy())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished smoke recipe."""
    folder = tmp_path_factory.mktemp("compound") / "run"
    with other_device():
        assert main(["fit", "--config", str(SMOKE), "--run", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def recipe() -> CompoundRecipe:
    loaded = load_recipe(SMOKE).recipe
    assert isinstance(loaded, CompoundRecipe)
    return loaded


@pytest.fixture(scope="module")
def exported(run: Path, recipe: CompoundRecipe) -> Exported:
    model = make_model(recipe)
    load_finished(run / "training", recipe.optimiser, model)
    for norm in model.norms.values():  # statistics that an export must not lose
        assert norm.get_buffer("running_mean").abs().max() > 0.1
        assert (norm.get_buffer("running_var") - 1).abs().max() > 0.1
    return Exported(model.eval(), recipe, load_bundle(run / "bundle"))


def graph(bundle: Bundle, role: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(bundle.graph_path(role), providers=["CPUExecutionProvider"])


def test_a_clip_gives_what_the_whole_sequence_gives_for_its_last_frame(exported: Exported) -> None:
    engine = OnnxRuntimeEngine(exported.bundle)
    clip = engine.encode_clips(exported.clips("video"))
    context = np.repeat(clip[:, None], 3, axis=1)
    found = engine.run_heads(clip, context, np.ones(context.shape[:2], bool))
    expected = exported.classes(True, False, False)[exported.model.receptive_field - 1 :]
    assert len(expected) == LENGTH - exported.model.receptive_field + 1
    assert expected.std(axis=0).max() > 1e-3  # else a wrong frame would pass
    np.testing.assert_allclose(found[COMPOUND_HEAD], expected, atol=1e-5)


@pytest.mark.parametrize("present", [(True, True, True), (True, False, True), (True, True, False)])
def test_the_further_graphs_give_what_the_model_gives_of_all_modalities(
    exported: Exported, present: tuple[bool, ...]
) -> None:
    first = exported.model.receptive_field - 1
    roles = {name: CLIP_ENCODER if name == "video" else follower_graph(name) for name in exported.recipe.inputs}
    clips = {
        name: graph(exported.bundle, role).run(["clip"], {"features": exported.clips(name)})[0]
        for name, role in roles.items()
    }
    mask = np.tile(present, (LENGTH - first, 1))
    found = graph(exported.bundle, MODALITIES_HEAD).run([COMPOUND_HEAD], clips | {PRESENT: mask})[0]
    np.testing.assert_allclose(found, exported.classes(*present)[first:], atol=1e-5)


def test_the_class_of_the_video_is_the_mean_of_the_clips_that_exist(exported: Exported) -> None:
    engine = OnnxRuntimeEngine(exported.bundle)
    clip = engine.encode_clips(exported.clips("video"))
    each = engine.run_heads(clip, np.repeat(clip[:, None], 3, axis=1), np.ones((len(clip), 3), bool))[COMPOUND_HEAD]
    valid = np.array([[False, True, True]])
    found = engine.run_heads(clip[2:3], clip[None, :3], valid)
    np.testing.assert_allclose(found[VIDEO_HEAD][0], each[1:3].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[COMPOUND_HEAD][0], each[2], atol=1e-6)


def test_a_bundle_that_calls_the_head_over_all_modalities_as_those_that_hear_call_theirs_opens(
    exported: Exported, tmp_path: Path
) -> None:
    shutil.copytree(exported.bundle.path, tmp_path / "old")
    edit_manifest(
        tmp_path / "old",
        lambda manifest: manifest["graphs"].update(fusion_head=manifest["graphs"].pop(MODALITIES_HEAD)),
    )
    assert len(list(streamaffect.analyze(DEMO_CLIP, bundle=tmp_path / "old", run={"max_seconds": 0.2}))) > 0


def test_an_encoder_with_features_of_another_width_is_refused(recipe: CompoundRecipe, tmp_path: Path) -> None:
    encoder = str(write_bundle(tmp_path / "colours"))
    wrong = msgspec.structs.replace(recipe, encoder=encoder, inputs=recipe.inputs | {"video": DIM + 1})
    with pytest.raises(DataError, match=r"gives 3 numbers, the recipe's inputs\.video is 4"):
        export_compound(make_model(wrong), wrong, {}, tmp_path / "bundle")


def test_compound_emotions_are_recognised_where_no_modality_tells_them_alone(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert report["mean_logits_weighted_f1"] > 0.9
    assert report["frame_accuracy"] > 0.7
    assert report["leader_alone_mean_logits_weighted_f1"] < 0.7


def test_the_stream_runs_the_recipes_bundle_with_nothing_but_the_face(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estimates = list(streamaffect.analyze(DEMO_CLIP, bundle=run / "bundle", run={"max_seconds": 1.5}))
    assert len(estimates) > 10
    names = [name.lower().replace(" ", "_") for name in CLASSES]
    for estimate in estimates:
        for head in (COMPOUND_HEAD, VIDEO_HEAD):
            assert list(estimate.outputs[head]) == names
            assert sum(estimate.outputs[head].values()) == pytest.approx(1, abs=1e-4)
    assert engines(["inspect", str(run / "bundle")]) == 0
    assert "compound_smoke@0.1" in capsys.readouterr().out


def test_tensorrt_builds_the_streams_graphs_and_takes_those_of_other_modalities(run: Path) -> None:
    followers = [follower_graph(name) for name in ("bert", "vggish")]
    assert_tensorrt_takes(run / "bundle", beside=[MODALITIES_HEAD, *followers])
