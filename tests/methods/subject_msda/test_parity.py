"""The discrepancies and pseudo-labels of subject-based adaptation give the authors' numbers and gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.support.training.golden import assert_matches, load_golden
from train.methods.subject_msda.loss import base_bandwidth, coral, mmd, rbf_kernels, select_pseudo_labels


def test_the_kernels_match() -> None:
    golden = load_golden("msda_discrepancy")
    rows = torch.cat([golden["source"], golden["target"]])
    kernels = rbf_kernels(rows, kernel_mul=float(golden["kernel_mul"]), kernel_num=int(golden["kernel_num"]))
    assert_matches(kernels, golden["kernel_matrix"])
    squared = torch.cdist(rows, rows).square()
    mul, num = float(golden["kernel_mul"]), int(golden["kernel_num"])
    assert_matches(base_bandwidth(squared, kernel_mul=mul, kernel_num=num), golden["base_bandwidth"])


@pytest.mark.parametrize(
    ("discrepancy", "value", "gradient"), [(mmd, "mmd", "grad_"), (coral, "coral", "grad_coral_")]
)  # fmt: skip
def test_a_discrepancy_and_its_gradients_match(
    discrepancy: Callable[[Tensor, Tensor], Tensor], value: str, gradient: str
) -> None:
    golden = load_golden("msda_discrepancy")
    source, target = golden.leaf("source"), golden.leaf("target")
    found = discrepancy(source, target)
    gradients = torch.autograd.grad(found, (source, target))
    assert_matches(found.detach(), golden[value])
    assert_matches(gradients[0], golden[f"{gradient}source"])
    assert_matches(gradients[1], golden[f"{gradient}target"])


def test_the_linear_discrepancy_matches() -> None:
    golden = load_golden("msda_discrepancy")
    found = mmd(golden["source"].float(), golden["target"].float(), kernel="linear")
    torch.testing.assert_close(found, golden["mmd_linear"].float(), rtol=1e-4, atol=1e-5)


def test_the_pseudo_labels_match() -> None:
    golden = load_golden("msda_pseudo_labels")
    logits, flipped = golden["logits"].float(), golden["logits_flipped"].float()
    found = select_pseudo_labels(logits, flipped, float(golden["threshold"]))
    assert torch.equal(found.indices, golden["selected_index"])
    assert torch.equal(found.labels, golden["selected_label"])
    torch.testing.assert_close(found.confidences, golden["selected_confidence"].float(), rtol=1e-4, atol=1e-5)
