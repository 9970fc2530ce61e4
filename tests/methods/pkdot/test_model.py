"""Properties of PKDOT's networks."""

import pytest
import torch

from train.methods.pkdot.model import HallucinationNetwork, PrivilegedFusion


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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
