"""What the runtime's own verb learns in numpy is what training's torch would learn."""

import numpy as np
import torch

from streamaffect.personal.adaptation import discrepancy_gradient
from streamaffect.personal.sources import read_sources
from streamaffect.runtime.bundle import load_bundle
from train.bundle.source_statistics import read_statistics
from train.methods.subject_msda import mmd


def test_the_gradient_of_the_discrepancy_is_torchs() -> None:
    random = np.random.default_rng(0)
    source, target = random.normal(size=(40, 7)), random.normal(0.3, 1.2, size=(30, 7))
    shift = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(mmd(torch.from_numpy(source), torch.from_numpy(target) + shift), shift)
    np.testing.assert_allclose(discrepancy_gradient(source, target), gradient.numpy(), rtol=0, atol=1e-12)


def test_the_statistics_of_a_bundle_are_read_alike() -> None:
    bundle = load_bundle()
    ours, theirs = read_sources(bundle), read_statistics(bundle, "emotions")
    assert theirs is not None
    assert ours.labels == theirs.labels
    np.testing.assert_array_equal(ours.counts, theirs.counts.numpy())
    np.testing.assert_array_equal(ours.means, theirs.means.numpy())
    np.testing.assert_array_equal(ours.covariances, theirs.covariances.numpy())
