"""Properties of the Sinkhorn divergence."""

import pytest
import torch

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
