"""Properties of PKDOT's structure loss."""

import pytest
import torch

from train.methods.pkdot.loss import anchor_columns, cosine_matrix, pkdot_loss


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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
