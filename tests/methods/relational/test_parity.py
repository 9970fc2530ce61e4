"""The relational-regression model, losses and scores give the numbers and gradients of the authors' published code."""

from typing import TypeVar

import pytest
import torch
from torch import nn

from tests.support.training.golden import Golden, assert_matches, load_golden
from train.losses import ccc_loss, pairwise_similarity, relational_loss
from train.metrics import regression as metrics
from train.metrics.correlation import concordance, pearson
from train.models.relational import ClipEncoder, ContextFreeHead, ContextHead, load_reference

Module = TypeVar("Module", bound=nn.Module)


def loaded(module: Module, golden: Golden) -> Module:
    """The module in float64 and evaluation mode, with the fixture's weights."""
    load_reference(module.double().eval(), golden.weights)
    return module


@pytest.mark.parametrize("reference", [False, True])
def test_the_relational_loss_and_its_gradient_match(reference: bool) -> None:
    golden = load_golden("relational_loss")
    features = golden.leaf("features")
    loss = relational_loss(features, golden["labels"], reference=reference)
    (gradient,) = torch.autograd.grad(loss, features)
    assert_matches(loss.detach(), golden["relational_loss"])
    assert_matches(loss.detach().square(), golden["relational_mse"])
    assert_matches(gradient, golden["grad_relational_wrt_features"])


def test_the_similarities_come_in_the_published_order_without_the_diagonal() -> None:
    golden = load_golden("relational_loss")
    assert_matches(pairwise_similarity(golden["features"]), golden["feature_similarity"])
    assert_matches(pairwise_similarity(golden["labels"]), golden["label_similarity"])


def test_the_concordance_loss_and_its_gradient_match() -> None:
    golden = load_golden("relational_loss")
    predictions = golden.leaf("predictions")
    loss = ccc_loss(predictions, golden["labels"])
    (gradient,) = torch.autograd.grad(loss, predictions)
    assert_matches(loss.detach(), golden["ccc_loss"])
    assert_matches(gradient, golden["grad_ccc_loss_wrt_predictions"])
    assert_matches(pearson(golden["predictions"], golden["labels"]), golden["pcc"])
    assert_matches(concordance(golden["predictions"], golden["labels"]), golden["ccc"])


def test_the_losses_add_up_to_the_published_total() -> None:
    golden = load_golden("relational_loss")
    relational = relational_loss(golden["features"], golden["labels"], reference=True)
    total = ccc_loss(golden["predictions"], golden["labels"]) + golden["lambda_"] * relational
    assert_matches(total, golden["total_loss"])


def test_the_columns_errors_make_the_published_error_over_all_entries() -> None:
    golden = load_golden("relational_loss")
    columns = metrics.rmse(golden["predictions"], golden["labels"])
    assert_matches(columns.square().mean().sqrt(), golden["rmse"])
    golden = load_golden("relational_metrics")
    assert_matches(metrics.rmse(golden["pred"], golden["target"]).square(), golden["mse"])


@pytest.mark.parametrize("name", ["mae", "rmse", "pcc", "ccc"])
def test_a_score_matches(name: str) -> None:
    golden = load_golden("relational_metrics")
    assert_matches(getattr(metrics, name)(golden["pred"], golden["target"]), golden[name])


@pytest.mark.parametrize("name", ["pcc", "ccc"])
def test_constant_predictions_score_zero_and_not_nan(name: str) -> None:
    golden = load_golden("relational_metrics")
    assert_matches(getattr(metrics, name)(golden["const_pred"], golden["const_target"]), golden[f"const_{name}"])


def test_the_clip_encoder_and_its_gradient_match() -> None:
    golden = load_golden("relational_neck")
    features = golden.leaf("x")
    encoder = ClipEncoder(
        features.shape[2],
        heads=int(golden["n_heads"]),
        layers=int(golden["n_layers"]),
        feedforward=int(golden["ff_dim"]),
    )
    loaded(encoder, golden)
    clip = encoder(features)
    (gradient,) = torch.autograd.grad(clip, features, golden["cotangent"])
    assert_matches(encoder.encode_frames(golden["x"]).detach(), golden["encoder_out"])
    assert_matches(clip.detach(), golden["clip_feature"])
    assert_matches(gradient, golden["grad_x"])


def test_the_context_head_and_its_gradients_match() -> None:
    golden = load_golden("relational_nlb_head")
    clip, context = golden.leaf("clip"), golden.leaf("context")
    head = loaded(ContextHead(clip.shape[1], 2, reference=True), golden)
    pred = head(clip, context)
    by_clip, by_context = torch.autograd.grad(pred, (clip, context), golden["cotangent"])
    assert_matches(pred.detach(), golden["pred"])
    assert_matches(by_clip, golden["grad_clip"])
    assert_matches(by_context, golden["grad_context"])


def test_the_context_attention_matches_step_by_step() -> None:
    golden = load_golden("relational_nlb_head")
    attention = loaded(ContextHead(golden["clip"].shape[1], 2, reference=True), golden).attention
    assert attention.scale == golden["attention_scale"].item()
    with torch.no_grad():
        assert_matches(attention.weights(golden["clip"], golden["context"]), golden["attention"].squeeze(1))
        assert_matches(attention(golden["clip"], golden["context"]), golden["nlb_out"].squeeze(1))


def test_the_context_free_head_matches() -> None:
    golden = load_golden("relational_ln_head")
    head = loaded(ContextFreeHead(golden["clip"].shape[1], 2), golden)
    assert_matches(head(golden["clip"]).detach(), golden["pred"])
