"""EmoCLIP's temporal transformer, contrastive loss and scores give the numbers of the authors' published code."""

import pytest
import torch

from tests.support.training.golden import Golden, assert_matches, load_golden
from train.methods.emoclip.loss import clip_contrastive_loss, contrastive_logits
from train.methods.emoclip.model import DownstreamModel, TemporalTransformer, load_reference, zero_shot
from train.metrics.classification import uar, war


def transformer(golden: Golden, dim: int) -> TemporalTransformer:
    depth, heads, head_dim, mlp_dim = (int(golden[key]) for key in ("depth", "heads", "dim_head", "mlp_dim"))
    return TemporalTransformer(dim, depth=depth, heads=heads, head_dim=head_dim, mlp_dim=mlp_dim, reference=True)


def test_the_temporal_transformer_and_its_gradient_match() -> None:
    golden = load_golden("emoclip_temporal")
    frames = golden.leaf("x")
    module = transformer(golden, frames.shape[2]).double()
    load_reference(module, golden.weights)
    tokens = module.tokens(frames)
    (gradient,) = torch.autograd.grad(tokens, frames, golden["cotangent"])
    assert_matches(tokens.detach(), golden["tokens_out"])
    assert_matches(module(golden["x"]).detach(), golden["video_embedding"])
    assert_matches(gradient, golden["grad_x"])


def test_the_gelu_matches() -> None:
    golden = load_golden("emoclip_temporal")
    assert_matches(torch.nn.functional.gelu(golden["gelu_in"], approximate="tanh"), golden["gelu_out"])


def test_the_downstream_model_matches() -> None:
    golden = load_golden("emoclip_downstream")
    frames = golden["frame_features"]
    module = DownstreamModel(transformer(golden, frames.shape[2]), golden["out"].shape[1]).double()
    load_reference(module, golden.weights)
    assert_matches(module.temporal(frames).detach(), golden["video_embedding"])
    assert_matches(module(frames).detach(), golden["out"])


@pytest.mark.parametrize("reference", [False, True])
def test_the_contrastive_loss_and_its_gradients_match(reference: bool) -> None:
    golden = load_golden("emoclip_contrastive")
    video, text, scale = (golden.leaf(key) for key in ("video", "text", "logit_scale_param"))
    loss = clip_contrastive_loss(video, text, scale, reference=reference)
    by_video, by_text, by_scale = torch.autograd.grad(loss, (video, text, scale))
    assert_matches(loss.detach(), golden["loss"])
    assert_matches(by_video, golden["grad_video"])
    assert_matches(by_text, golden["grad_text"])
    assert_matches(by_scale, golden["grad_logit_scale"])


def test_the_logits_of_both_directions_match() -> None:
    golden = load_golden("emoclip_contrastive")
    logits = contrastive_logits(golden["video"], golden["text"], golden["logit_scale_param"])
    assert_matches(logits, golden["logits_per_video"])
    assert_matches(logits.T, golden["logits_per_text"])


def test_zero_shot_classification_matches() -> None:
    golden = load_golden("emoclip_contrastive")
    scale = golden["logit_scale_param"]
    assert_matches(contrastive_logits(golden["video"], golden["class_text"], scale), golden["zero_shot_logits"])
    probabilities = zero_shot(golden["video"], golden["class_text"], scale)
    assert_matches(probabilities, golden["zero_shot_probs"])
    assert probabilities.argmax(dim=1).tolist() == golden["zero_shot_pred"].tolist()


def test_weighted_and_unweighted_recall_match() -> None:
    golden = load_golden("emoclip_contrastive")
    assert_matches(war(golden["metric_pred"], golden["metric_true"]), golden["metric_war"])
    assert_matches(uar(golden["metric_pred"], golden["metric_true"]), golden["metric_uar"])
