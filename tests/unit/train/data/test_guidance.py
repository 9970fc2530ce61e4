"""What a teacher saw, as targets of stage 1."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect.errors import ConfigError
from streamaffect.lenses.mesh.landmarker import BLENDSHAPES
from train.data.guidance import GUIDES, MOVEMENTS, guidance, without_sides
from train.data.stills import Stills, concatenate
from train.loop.fit import Part
from train.methods.relational.data.corpus import HeldOut
from train.methods.relational.data.generated import generated_stills
from train.methods.relational.frame_stage import FrameTask
from train.methods.relational.recipe import FrameConfig, load_recipe

SMOKE = Path(__file__).parents[4] / "configs" / "train" / "relational" / "smoke.toml"


def guided(count: int, *, seed: int) -> Stills:
    stills = generated_stills(count, seed=seed)
    blendshapes = np.random.default_rng(seed).random((count, len(BLENDSHAPES)), np.float32)
    guides = guidance(stills.affect, stills.emotions, blendshapes)
    return Stills(stills.pictures, stills.emotions, stills.affect, stills.shown, stills.names, guides)


def frame_config(*, weight: float) -> FrameConfig:
    import msgspec

    frame = load_recipe(SMOKE).frame
    return msgspec.structs.replace(frame, loss=msgspec.structs.replace(frame.loss, guidance=weight))


def frame_task(stills: Stills, *, weight: float) -> FrameTask:
    torch.manual_seed(0)
    held_out = HeldOut(stills, np.ones(len(stills), np.bool_))
    ones = np.ones(len(stills), np.float32)
    return FrameTask(frame_config(weight=weight), stills, ones, held_out, size=32, seed=1)


def test_left_and_right_are_averaged() -> None:
    row = np.zeros((1, len(BLENDSHAPES)), np.float32)
    row[0, BLENDSHAPES.index("mouthSmileLeft")] = 0.2
    row[0, BLENDSHAPES.index("mouthSmileRight")] = 0.6
    row[0, BLENDSHAPES.index("jawOpen")] = 0.5
    found = dict(zip(MOVEMENTS, without_sides(row)[0].tolist(), strict=True))
    assert found["mouthSmile"] == pytest.approx(0.4)
    assert found["jawOpen"] == pytest.approx(0.5)
    assert sum(found.values()) == pytest.approx(0.9)


def test_blendshapes_that_were_not_found_are_unknown() -> None:
    affect, emotions = np.zeros((2, 2), np.float32), np.full((2, 8), 1 / 8, np.float32)
    found = guidance(affect, emotions, np.ones((2, 52), np.float32), np.array([True, False]))
    assert found.shape == (2, GUIDES)
    assert np.isfinite(found[0]).all()
    assert np.isfinite(found[1]).tolist() == [True] * 10 + [False] * len(MOVEMENTS)


def test_a_set_without_guidance_is_unknown_beside_one_that_has_it() -> None:
    both = concatenate([guided(3, seed=1), generated_stills(2, seed=2)])
    assert both.guidance is not None
    assert np.isfinite(both.guidance).all(axis=1).tolist() == [True, True, True, False, False]
    assert concatenate([generated_stills(2, seed=1), generated_stills(2, seed=2)]).guidance is None


def test_what_is_unknown_has_no_influence_on_the_loss() -> None:
    task = frame_task(concatenate([guided(16, seed=1), generated_stills(16, seed=2)]), weight=1.0)
    batch = next(iter(task.batches(0, 0, Part())))
    loss = task.losses(task.model.eval(), batch)["guidance"]
    unknown = ~torch.isfinite(batch.guidance)
    assert unknown.any()
    assert torch.isfinite(loss)
    known = batch._replace(guidance=torch.where(unknown, torch.nan, batch.guidance + 1))
    assert task.losses(task.model, known)["guidance"] != loss


def test_without_a_weight_there_is_no_guidance() -> None:
    task = frame_task(guided(32, seed=1), weight=0.0)
    assert set(task.losses(task.model, next(iter(task.batches(0, 0, Part()))))) == {"cross_entropy", "ccc", "mse"}


def test_guidance_without_a_teacher_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"frame\.loss\.guidance: .* set it to 0"):
        frame_task(generated_stills(32, seed=1), weight=1.0)
