"""What a bundle tells of the people it learned from, so that it can be adapted to one more: statistics, and no rows.

Beside the graphs of a bundle may lie `source_statistics.safetensors`: how common each emotion was in training, and mean
and covariance of the clip vectors that were labelled with it. The discrepancy to a new person is measured against rows
drawn from these Gaussians. Nobody's picture or feature is stored, and 160 wide clip vectors take a quarter of a MiB.

    counts (K,) float32, means (K, C) float32, triangles (K, C (C + 1) / 2) float16: the covariances' upper triangles
    metadata: labels, JSON list of K names; head, the classification head that has them; clip_encoder_sha256
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import CLIP_ENCODER, Manifest

from ..errors import DataError

STATISTICS = "source_statistics.safetensors"
CLEAR = 0.5  # share of an emotion above which a row counts for it
PRIOR_ROWS = 100.0  # of the pooled covariance in each emotion's: rare emotions have fewer rows than dimensions


@dataclass(frozen=True)
class SourceStatistics:
    """Gaussians of clip vectors, one for each label.

    labels: K names; counts (K,): rows of each, weighted; means (K, C); covariances (K, C, C)
    """

    labels: tuple[str, ...]
    counts: Tensor
    means: Tensor
    covariances: Tensor

    def draw(self, shares: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` rows (count, C) whose labels (count,) int64 occur in these shares (K,).

        Labels that the sources do not hold are left out of the shares; where none is left, the sources' own are taken.
        """
        held = torch.where(self.counts > 0, shares, torch.zeros_like(shares))
        labels = torch.multinomial(
            held if held.sum() > 0 else self.counts, count, replacement=True, generator=generator
        )
        noise = torch.randn(count, self.means.shape[1], generator=generator)
        rows = self.means[labels]
        for label in torch.unique(labels).tolist():
            chosen = labels == label
            rows[chosen] += noise[chosen] @ self._roots[label].T
        return rows, labels

    @cached_property
    def _roots(self) -> Tensor:
        """(K, C, C): R with R Rᵀ = covariance, of which rounding may have left eigenvalues just below 0."""
        values, vectors = torch.linalg.eigh(self.covariances)
        roots: Tensor = vectors * values.clamp_min(0).sqrt().unsqueeze(1)
        return roots


def source_statistics(
    clips: Tensor, shares: Tensor, labels: tuple[str, ...], weights: Tensor | None = None
) -> SourceStatistics:
    """Mean and covariance of the clip vectors (N, C) of each label, from soft labels (N, K).

    weights: (N,) how often each row was met in training; 1 by default

    A row counts for the label that has more than `CLEAR` of it. The covariance of a label leans on the pooled one by
    `PRIOR_ROWS`. Raises ValueError where no row is clear.
    """
    clips, weight = clips.double(), torch.ones(len(clips)) if weights is None else weights
    weight = (weight / weight.sum() * len(clips)).double()
    member = F.one_hot(shares.argmax(dim=1), len(labels)).double()
    member = member * (weight * (shares.max(dim=1).values > CLEAR)).unsqueeze(1)
    counts = member.sum(dim=0)
    if not bool(counts.sum() > 0):
        raise ValueError(f"none of {len(clips)} rows has a label with more than {CLEAR:.0%} of it")
    means = (member.T @ clips) / counts.clamp_min(1e-9).unsqueeze(1)
    scatters = torch.stack([_scatter(clips, means[k], member[:, k]) for k in range(len(labels))])
    pooled = scatters.sum(dim=0) / counts.sum()
    covariances = (scatters + PRIOR_ROWS * pooled) / (counts + PRIOR_ROWS).reshape(-1, 1, 1)
    return SourceStatistics(labels, counts.float(), means.float(), covariances.float())


def write_statistics(statistics: SourceStatistics, folder: Path, manifest: Manifest, head: str) -> Path:
    """Put the file into a bundle's folder; `head` is the classification head whose outputs the labels are."""
    from safetensors.torch import save

    upper = _upper(statistics.means.shape[1])
    tensors = {
        "counts": statistics.counts.contiguous(),
        "means": statistics.means.contiguous(),
        "triangles": statistics.covariances[:, upper[0], upper[1]].half().contiguous(),
    }
    metadata = {
        "labels": json.dumps(statistics.labels),
        "head": head,
        "clip_encoder_sha256": manifest.graphs[CLIP_ENCODER].sha256,
    }
    path, unfinished = folder / STATISTICS, folder / f".{STATISTICS}.partial"
    unfinished.write_bytes(save(tensors, metadata))
    unfinished.replace(path)
    return path


def read_statistics(bundle: Bundle, head: str) -> SourceStatistics | None:
    """The statistics that lie beside the bundle's graphs; None where there are none.

    Raises DataError if the file cannot be read, or was made with another clip encoder or other labels.
    """
    from safetensors import SafetensorError, safe_open

    path = bundle.path / STATISTICS
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in ("counts", "means", "triangles")}
        labels = tuple(json.loads(metadata["labels"]))
    except (SafetensorError, KeyError, OSError, json.JSONDecodeError) as error:
        raise DataError(
            f"{path}: not the statistics of a bundle's sources ({error}); export the bundle again"
        ) from None
    if metadata.get("clip_encoder_sha256") != bundle.manifest.graphs[CLIP_ENCODER].sha256:
        raise DataError(f"{path}: was made with another clip encoder than the bundle's; export the bundle again")
    _check_labels(path, bundle, head, labels)
    return SourceStatistics(labels, tensors["counts"], tensors["means"], _square(tensors["triangles"].float()))


def _check_labels(path: Path, bundle: Bundle, head: str, labels: tuple[str, ...]) -> None:
    spec = bundle.manifest.head(head)
    names = () if spec is None else tuple(output.name for output in spec.outputs)
    if labels != names:
        raise DataError(f"{path}: has the labels {', '.join(labels)}, the head {head!r} has {', '.join(names)}")


def _scatter(rows: Tensor, mean: Tensor, weight: Tensor) -> Tensor:
    centred = rows - mean
    scatter: Tensor = centred.T @ (weight.unsqueeze(1) * centred)
    return scatter


def _upper(width: int) -> Tensor:
    return torch.triu_indices(width, width)


def _square(triangles: Tensor) -> Tensor:
    """(K, C (C + 1) / 2) → (K, C, C)."""
    width = round(((8 * triangles.shape[1] + 1) ** 0.5 - 1) / 2)
    row, column = _upper(width)
    out = torch.zeros(len(triangles), width, width)
    out[:, row, column] = triangles
    out[:, column, row] = triangles
    return out
