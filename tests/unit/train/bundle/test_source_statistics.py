"""What a bundle tells of the people it learned from: Gaussians of clip vectors by emotion."""

from pathlib import Path

import onnx
import pytest
import torch

from streamaffect.runtime.bundle import Bundle, load_bundle
from tests.support.bundles import DIM, replace_graph, write_bundle
from train.bundle.source_statistics import (
    STATISTICS,
    SourceStatistics,
    read_statistics,
    source_statistics,
    write_statistics,
)
from train.errors import DataError

HEAD = "emotions"
ROWS = 4000
MEANS = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, -2.0], [0.0, 3.0, 0.0]])
ROOT = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 0.5]])


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


def names(bundle: Bundle) -> tuple[str, ...]:
    head = bundle.manifest.head(HEAD)
    assert head is not None
    return tuple(output.name for output in head.outputs)


def labelled(classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the Gaussians MEANS, ROOT ROOTᵀ, and soft labels that are clear."""
    noise = torch.randn(len(classes), DIM, generator=torch.Generator().manual_seed(1))
    return MEANS[classes] + noise @ ROOT.T, torch.nn.functional.one_hot(classes, len(MEANS)) * 0.7 + 0.1


def statistics(labels: tuple[str, ...]) -> SourceStatistics:
    return source_statistics(*labelled(torch.arange(ROWS) % 3), labels)


def test_means_and_covariances_are_those_of_the_labelled_rows() -> None:
    found = statistics(("a", "b", "c"))
    torch.testing.assert_close(found.means, MEANS, rtol=0, atol=0.1)
    torch.testing.assert_close(found.covariances, (ROOT @ ROOT.T).expand(3, -1, -1), rtol=0, atol=0.15)


def test_a_row_without_a_majority_counts_for_no_label() -> None:
    rows, shares = labelled(torch.arange(30) % 3)
    unclear = torch.full((30, 3), 1 / 3)
    both = source_statistics(torch.cat([rows, rows + 100]), torch.cat([shares, unclear]), ("a", "b", "c"))
    alone = source_statistics(rows, shares, ("a", "b", "c"))
    torch.testing.assert_close(both.means, alone.means)
    with pytest.raises(ValueError, match="none of 30 rows"):
        source_statistics(rows, unclear, ("a", "b", "c"))


def test_a_row_of_twice_the_weight_counts_as_two() -> None:
    rows, shares = labelled(torch.arange(30) % 3)
    doubled = source_statistics(torch.cat([rows, rows[:9]]), torch.cat([shares, shares[:9]]), ("a", "b", "c"))
    weights = torch.tensor([2.0] * 9 + [1.0] * 21)
    torch.testing.assert_close(source_statistics(rows, shares, ("a", "b", "c"), weights).means, doubled.means)


def test_an_emotion_with_fewer_rows_than_dimensions_leans_on_the_others() -> None:
    classes = torch.cat([torch.arange(ROWS) % 2, torch.tensor([2])])
    found = source_statistics(*labelled(classes), ("a", "b", "c"))
    torch.testing.assert_close(found.covariances[2], ROOT @ ROOT.T, rtol=0, atol=0.15)


def test_drawn_rows_have_the_labels_asked_for_and_come_from_their_gaussians() -> None:
    rows, labels = statistics(("a", "b", "c")).draw(
        torch.tensor([1.0, 3.0, 0.0]), 8000, torch.Generator().manual_seed(0)
    )
    assert torch.bincount(labels, minlength=3)[2] == 0
    assert float((labels == 1).float().mean()) == pytest.approx(0.75, abs=0.02)
    torch.testing.assert_close(rows[labels == 1].mean(dim=0), MEANS[1], rtol=0, atol=0.1)
    torch.testing.assert_close(torch.cov(rows[labels == 1].T), ROOT @ ROOT.T, rtol=0, atol=0.12)


def test_a_label_that_the_sources_never_had_is_not_drawn() -> None:
    found = source_statistics(*labelled(torch.arange(90) % 2), ("a", "b", "c"))
    _rows, labels = found.draw(torch.tensor([0.0, 0.0, 5.0]), 50, torch.Generator().manual_seed(0))
    assert set(labels.tolist()) == {0, 1}


def test_what_is_written_beside_a_bundle_is_read_again(bundle: Bundle) -> None:
    assert read_statistics(bundle, HEAD) is None
    written = statistics(names(bundle))
    write_statistics(written, bundle.path, bundle.manifest, HEAD)
    found = read_statistics(bundle, HEAD)
    assert found is not None
    assert found.labels == written.labels
    torch.testing.assert_close(found.means, written.means)
    torch.testing.assert_close(found.covariances, written.covariances, rtol=2e-3, atol=2e-3)
    load_bundle(bundle.path)


def test_statistics_of_another_clip_encoder_are_refused(bundle: Bundle) -> None:
    write_statistics(statistics(names(bundle)), bundle.path, bundle.manifest, HEAD)
    graph = onnx.load(bundle.graph_path("clip_encoder"))
    graph.doc_string = "trained again"
    replace_graph(bundle.path, "clip_encoder", graph)
    with pytest.raises(DataError, match="another clip encoder"):
        read_statistics(load_bundle(bundle.path), HEAD)


def test_labels_that_are_not_those_of_the_head_are_refused(bundle: Bundle) -> None:
    write_statistics(statistics(("a", "b", "c")), bundle.path, bundle.manifest, HEAD)
    with pytest.raises(DataError, match="has the labels a, b, c, the head 'emotions' has"):
        read_statistics(bundle, HEAD)


def test_a_file_that_is_something_else_is_refused(bundle: Bundle) -> None:
    (bundle.path / STATISTICS).write_bytes(b"no tensors")
    with pytest.raises(DataError, match="not the statistics of a bundle's sources"):
        read_statistics(bundle, HEAD)
