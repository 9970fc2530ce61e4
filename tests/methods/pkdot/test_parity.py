"""PKDOT's structure loss and fusion give the numbers and gradients of the authors' code and the library it calls."""

import pytest
import torch

from tests.support.training.golden import assert_matches, load_golden
from train.methods.pkdot.loss import anchor_columns, cosine_matrix, non_negative, pkdot_loss
from train.methods.pkdot.model import PrivilegedFusion, load_reference
from train.methods.pkdot.sinkhorn import sinkhorn_divergence


@pytest.mark.parametrize("blur", [0.05, 0.1, 0.5])
def test_the_sinkhorn_divergence_and_its_gradient_match(blur: float) -> None:
    golden = load_golden("pkdot_sinkhorn")
    y = golden.leaf("y")
    loss = sinkhorn_divergence(golden["x"], y, blur=blur)
    (gradient,) = torch.autograd.grad(loss, y)
    assert_matches(loss.detach(), golden[f"loss_blur{blur}"])
    assert_matches(gradient, golden[f"grad_y_blur{blur}"])


def test_the_similarity_structures_match() -> None:
    golden = load_golden("pkdot_ot_loss")
    for side in ("teacher", "student"):
        cosine = cosine_matrix(golden[side], eps=0.0)
        assert_matches(cosine, golden[f"{side}_cosine"])
        assert_matches(non_negative(cosine), golden[f"{side}_shifted"])


def test_the_anchors_are_the_least_similar_columns() -> None:
    golden = load_golden("pkdot_ot_loss")
    k = int(golden["topk"])
    anchors = anchor_columns(golden["teacher_cosine"], k, mode="least", order="index", reference=True)
    assert torch.equal(anchors, golden["anchor_index_sorted"])
    given = anchor_columns(golden["teacher_cosine"], k, mode="least", order="given", reference=True)
    assert torch.equal(given.sort(dim=1).values, golden["anchor_index"].sort(dim=1).values)


@pytest.mark.parametrize("suffix", ["", "_sorted"])
def test_the_loss_on_given_anchors_and_its_gradient_match(suffix: str) -> None:
    golden = load_golden("pkdot_ot_loss")
    student = golden.leaf("student")
    loss = pkdot_loss(golden["teacher"], student, anchor_index=golden[f"anchor_index{suffix}"], reference=True)
    (gradient,) = torch.autograd.grad(loss, student)
    assert_matches(loss.detach(), golden[f"ot_loss{suffix}"])
    assert_matches(gradient, golden[f"grad_student{suffix}"])


def test_the_gradient_of_the_transport_by_the_rows_matches() -> None:
    golden = load_golden("pkdot_ot_loss")
    rows = golden.leaf("student_rows")
    blur, scaling = float(golden["sinkhorn_blur"]), float(golden["sinkhorn_scaling"])
    loss = sinkhorn_divergence(golden["teacher_rows"], rows, blur=blur, scaling=scaling)
    (gradient,) = torch.autograd.grad(loss, rows)
    assert_matches(gradient, golden["grad_student_rows"])


def test_the_loss_matches_without_the_clouds_costs_against_themselves() -> None:
    golden = load_golden("pkdot_ot_loss")
    anchors = golden["anchor_index"]
    loss = pkdot_loss(golden["teacher"], golden["student"], anchor_index=anchors, debias=False, reference=True)
    assert_matches(loss, golden["ot_loss_not_debiased"])


def test_the_loss_with_anchors_of_its_own_matches() -> None:
    golden = load_golden("pkdot_ot_loss")
    loss = pkdot_loss(
        golden["teacher"], golden["student"], topk=int(golden["topk"]), anchor_order="index", reference=True
    )
    assert_matches(loss, golden["ot_loss_sorted"])


def test_the_fusion_and_its_gradient_match() -> None:
    golden = load_golden("pkdot_fusion")
    width, classes = golden["embedding"].shape[1], golden["logits"].shape[1]
    fusion = PrivilegedFusion(width, classes, heads=int(golden["num_heads"]), reference=True).double()
    load_reference(fusion, golden.weights)
    visual = golden.leaf("visual")
    logits, embedding = fusion(visual, golden["physio"])
    (gradient,) = torch.autograd.grad((embedding * golden["cotangent"]).sum(), visual)
    assert_matches(fusion.visual_encoder(golden["visual"]).detach(), golden["visual_encoded"])
    assert_matches(embedding.detach(), golden["embedding"])
    assert_matches(logits.detach(), golden["logits"])
    assert_matches(gradient, golden["grad_visual"])
