"""Properties of PKDOT's structure loss and of its networks."""

import pytest
import torch

from train.methods.pkdot.loss import anchor_columns, cosine_matrix, pkdot_loss
from train.methods.pkdot.model import HallucinationNetwork, PrivilegedFusion
from train.methods.pkdot.sinkhorn import sinkhorn_divergence


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_cloud_is_at_distance_zero_from_itself_in_any_order() -> None:
    cloud = random(9, 4)
    assert sinkhorn_divergence(cloud, cloud[torch.randperm(9)]).item() == pytest.approx(0, abs=1e-12)


def test_a_moved_cloud_is_at_half_its_squared_shift() -> None:
    cloud = random(9, 4)
    shift = torch.tensor([3.0, 0.0, 4.0, 0.0], dtype=torch.float64)
    assert sinkhorn_divergence(cloud, cloud + shift).item() == pytest.approx(25 / 2, rel=1e-6)


def test_clouds_of_one_point_are_allowed() -> None:
    point = torch.ones(1, 2)
    assert sinkhorn_divergence(point, point).item() == 0.0
    assert sinkhorn_divergence(point, point + 1).item() == pytest.approx(1.0)


def test_clouds_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\), \(3, 5\)"):
        sinkhorn_divergence(random(3, 4), random(3, 5))


def test_a_turned_and_stretched_student_has_the_teachers_structure() -> None:
    teacher = random(10, 6)
    student = 3 * teacher @ torch.linalg.qr(random(8, 6, seed=1)).Q.T
    assert pkdot_loss(teacher, student, topk=4).item() == pytest.approx(0, abs=1e-10)
    assert pkdot_loss(teacher, random(10, 8, seed=2), topk=4) > 1e-3


def test_descending_the_loss_brings_the_student_to_the_teachers_structure() -> None:
    teacher = random(12, 6)
    student = random(12, 3, seed=1).requires_grad_()
    optimiser = torch.optim.Adam([student], lr=0.05)
    first = pkdot_loss(teacher, student, topk=11).item()
    for _ in range(100):
        optimiser.zero_grad()
        loss = pkdot_loss(teacher, student, topk=11)
        (student.grad,) = torch.autograd.grad(loss, student)
        optimiser.step()
    assert loss.item() < first / 5


def test_the_teacher_gets_no_gradient() -> None:
    teacher, student = random(6, 4).requires_grad_(), random(6, 4, seed=1).requires_grad_()
    gradients = torch.autograd.grad(pkdot_loss(teacher, student), (teacher, student), allow_unused=True)
    assert [gradient is None for gradient in gradients] == [True, False]


def test_anchors_are_by_default_the_most_similar_others_in_the_teachers_order() -> None:
    cosine = cosine_matrix(random(8, 3))
    anchors = anchor_columns(cosine, 3)
    for row, columns in enumerate(anchors.tolist()):
        ranked = [column for column in cosine[row].argsort(descending=True).tolist() if column != row]
        assert columns == ranked[:3]


@pytest.mark.parametrize("reference", [False, True])
def test_more_anchors_than_other_samples_are_clamped_unless_the_reference_is_asked_for(reference: bool) -> None:
    teacher, student = random(5, 4), random(5, 4, seed=1)
    if reference:
        with pytest.raises(ValueError, match="30 anchors of 5 samples"):
            pkdot_loss(teacher, student, reference=True)
    else:
        assert torch.equal(pkdot_loss(teacher, student), pkdot_loss(teacher, student, topk=4))


def test_an_embedding_of_zeros_is_harmless_unless_the_reference_is_asked_for() -> None:
    student = random(6, 4).index_fill(0, torch.tensor([2]), 0.0).requires_grad_()
    loss = pkdot_loss(random(6, 4, seed=1), student, topk=3)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    with pytest.raises(ValueError, match="must be finite"):
        pkdot_loss(random(6, 4, seed=1), student, topk=3, reference=True)


def test_a_batch_of_one_has_no_structure() -> None:
    with pytest.raises(ValueError, match="at least 2 samples, found 1"):
        pkdot_loss(random(1, 4), random(1, 4))


@pytest.mark.parametrize("reference", [False, True])
def test_only_the_reference_fusion_lets_samples_see_one_another(reference: bool) -> None:
    fusion = PrivilegedFusion(8, 3, reference=reference).double().eval()
    visual, privileged = random(4, 1, 8), random(4, 1, 8, seed=1)
    together = fusion(visual, privileged).embedding
    alone = torch.cat([fusion(visual[i : i + 1], privileged[i : i + 1]).embedding for i in range(4)])
    assert torch.allclose(together, alone) is not reference


def test_vectors_without_tokens_count_as_one_token() -> None:
    fusion = PrivilegedFusion(8, 3).double().eval()
    visual, privileged = random(4, 8), random(4, 8, seed=1)
    logits, embedding = fusion(visual, privileged)
    assert logits.shape == (4, 3)
    torch.testing.assert_close(embedding, fusion(visual.unsqueeze(1), privileged.unsqueeze(1)).embedding)


def test_modalities_of_other_widths_are_mapped_to_the_fusions() -> None:
    fusion = PrivilegedFusion(8, 3, visual_dim=12, privileged_dim=5).double()
    hallucination = HallucinationNetwork(12, outputs=5).double()
    visual = random(4, 12)
    logits, embedding = fusion(visual, hallucination(visual))
    assert (logits.shape, embedding.shape) == ((4, 3), (4, 8))


def test_hallucinating_does_not_bend_the_visual_feature() -> None:
    visual = random(4, 8).requires_grad_()
    hallucinated = HallucinationNetwork(8).double()(visual)
    assert hallucinated.shape == (4, 8)
    (gradient,) = torch.autograd.grad(hallucinated.sum(), visual, allow_unused=True)
    assert gradient is None


def test_the_reference_hallucinates_between_zero_and_one() -> None:
    out = HallucinationNetwork(8, reference=True).double()(100 * random(50, 8))
    assert out.min() >= 0
    assert out.max() <= 1
