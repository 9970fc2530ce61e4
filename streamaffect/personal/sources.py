"""What a bundle tells of the people it learned from: Gaussians of clip vectors, one for each emotion, and no rows.

`source_statistics.safetensors` beside its graphs, as `train.bundle.source_statistics` writes it and describes it.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import CLIP_ENCODER

STATISTICS = "source_statistics.safetensors"
TYPES: dict[str, Any] = {"F32": "<f4", "F16": "<f2"}
Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Sources:
    """labels: K names; counts (K,): rows of each; means (K, C); covariances (K, C, C)."""

    labels: tuple[str, ...]
    counts: Matrix
    means: Matrix
    covariances: Matrix

    @property
    def variance(self) -> float:
        """Sum over the axes of the variance within a label."""
        traces = self.covariances.diagonal(axis1=1, axis2=2).sum(axis=1)
        return float((self.counts / self.counts.sum() * traces).sum())

    def draw(self, shares: Matrix, count: int, generator: np.random.Generator) -> Matrix:
        """`count` rows (count, C) whose labels occur in these shares (K,), as far as the sources hold them."""
        held = np.where(self.counts > 0, shares, 0.0)
        held = held if held.sum() > 0 else self.counts
        labels = generator.choice(len(held), count, p=held / held.sum())
        noise = generator.standard_normal((count, self.means.shape[1]))
        return np.asarray(self.means[labels] + np.einsum("nij,nj->ni", self._roots[labels], noise))

    @cached_property
    def _roots(self) -> Matrix:
        """(K, C, C): R with R Rᵀ = covariance, of which rounding may have left eigenvalues just below 0."""
        values, vectors = np.linalg.eigh(self.covariances)
        return np.asarray(vectors * np.sqrt(values.clip(0))[:, None, :])


def read_sources(bundle: Bundle) -> Sources:
    """The statistics of a bundle. Raises BundleError where it has none, or those of another clip encoder."""
    path = bundle.path / STATISTICS
    try:
        tensors, metadata = _tensors(path.read_bytes())
        labels = tuple(json.loads(metadata["labels"]))
        counts, means, triangles = (tensors[name].astype(np.float64) for name in ("counts", "means", "triangles"))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise BundleError(
            f"{path}: does not tell of the people that {bundle.manifest.label} learned from ({error}), and a face is "
            "fitted to them; take a bundle that has the file, such as the shipped one"
        ) from None
    if metadata.get("clip_encoder_sha256") != bundle.manifest.graphs[CLIP_ENCODER].sha256:
        raise BundleError(f"{path}: was made with another clip encoder than the bundle's; export the bundle again")
    return Sources(labels, counts, means, _square(triangles, means.shape[1]))


def _tensors(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What a safetensors file holds: its format is eight bytes of length, a JSON header and the tensors' bytes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    start = 8 + length
    found = {}
    for name, one in header.items():
        low, high = one["data_offsets"]
        found[name] = np.frombuffer(content[start + low : start + high], TYPES[one["dtype"]]).reshape(one["shape"])
    return found, metadata


def _square(triangles: Matrix, width: int) -> Matrix:
    """(K, C (C + 1) / 2) → (K, C, C)."""
    row, column = np.triu_indices(width)
    out = np.zeros((len(triangles), width, width))
    out[:, row, column] = triangles
    out[:, column, row] = triangles
    return out
