"""The joint multimodal transformer gives the numbers and gradients of the authors' published code, in every mode."""

from typing import Literal

import pytest
import torch

from tests.support.training.golden import assert_matches, load_golden
from train.methods.jmt.loss import jmt_ccc_loss
from train.methods.jmt.model import IntraModalTransformer, JointMultimodalTransformer, load_reference
from train.methods.jmt.series import series_ccc, smooth

MODES: list[tuple[Literal["self_attention", "fc", "concat", "none"], str]] = [
    ("self_attention", "self_attention"),
    ("fc", "fc"),
    ("concat", "concat"),
    ("none", "no_joint"),
]


@pytest.mark.parametrize(("joint", "fixture"), MODES)
def test_a_fusion_and_its_gradients_match(
    joint: Literal["self_attention", "fc", "concat", "none"], fixture: str
) -> None:
    golden = load_golden(f"jmt_fusion_{fixture}")
    width, heads, layers = (int(golden[key]) for key in ("width", "num_heads", "num_layers"))
    model = JointMultimodalTransformer(width, heads=heads, layers=layers, joint=joint, reference=True)
    load_reference(model.double().eval(), golden.weights)
    visual, audio = golden.leaf("visual"), golden.leaf("audio")
    valence, arousal = model(visual, audio).unbind(-1)
    total = (valence * golden["cotangent_valence"] + arousal * golden["cotangent_arousal"]).sum()
    gradients = torch.autograd.grad(total, (visual, audio))
    assert_matches(model.fuse(visual, audio).detach(), golden["fused"])
    assert_matches(valence.detach(), golden["valence"])
    assert_matches(arousal.detach(), golden["arousal"])
    assert_matches(gradients[0], golden["grad_visual"])
    assert_matches(gradients[1], golden["grad_audio"])


def test_the_batch_first_default_is_the_reference_with_its_axes_exchanged() -> None:
    golden = load_golden("jmt_fusion_fc")
    model = JointMultimodalTransformer(int(golden["width"]), joint="fc").double().eval()
    load_reference(model, golden.weights)
    out = model(golden["visual"], golden["audio"]).detach()
    assert_matches(out[..., 0].T, golden["valence"])


def test_the_intra_modal_transformer_matches() -> None:
    golden = load_golden("jmt_intra_modal")
    module = IntraModalTransformer(int(golden["width"]), heads=int(golden["num_heads"])).double().eval()
    load_reference(module, golden.weights)
    assert_matches(module(golden["feat_a"], golden["feat_b"]).detach(), golden["out"])


@pytest.mark.parametrize("reference", [False, True])
def test_the_concordance_loss_and_its_gradient_match(reference: bool) -> None:
    golden = load_golden("jmt_ccc_loss")
    pred = golden.leaf("pred")
    loss = jmt_ccc_loss(pred, golden["target"], reference=reference)
    (gradient,) = torch.autograd.grad(loss, pred)
    assert_matches(loss.detach(), golden["ccc_loss"])
    assert_matches(gradient, golden["grad_pred"])


def test_the_score_of_a_series_matches() -> None:
    golden = load_golden("jmt_ccc_loss")
    assert_matches(series_ccc(golden["pred"].flatten(), golden["target"].flatten()), golden["eval_ccc"])


@pytest.mark.parametrize("output", ["valence", "arousal"])
def test_the_smoothed_series_match(output: str) -> None:
    golden = load_golden("jmt_postprocess")
    assert_matches(smooth(golden[f"{output}_raw"], int(golden[f"{output}_window"])), golden[f"{output}_smooth"])
