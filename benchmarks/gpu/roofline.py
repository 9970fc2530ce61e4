"""What a card could do at most: the time of a graph's operations, or of the bytes that it moves, whichever is more.

Dense peaks as NVIDIA's data sheets give them, without sparsity. Bytes are those of weights, inputs and outputs; what
stands between layers is taken to stay in the caches.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from engines.graphs.inspection import inspect_bundle
from streamaffect.runtime.bundle import Bundle

_BYTES = {"float32": 4, "uint8": 1, "bool": 1}
_WEIGHTS = {"fp32": 1.0, "fp16": 0.5, "int8": 0.25}  # of their size in the bundle


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Operations a second by precision, and bytes a second of the card's memory."""

    flops: dict[str, float]
    bytes_per_s: float


CEILINGS = {
    "H200": Ceiling({"fp32": 67e12, "fp16": 989e12, "int8": 1979e12}, 4.8e12),
    "H100": Ceiling({"fp32": 67e12, "fp16": 989e12, "int8": 1979e12}, 3.35e12),
    "A100": Ceiling({"fp32": 19.5e12, "fp16": 312e12, "int8": 624e12}, 2.0e12),
}


@dataclass(frozen=True, slots=True)
class Work:
    """Of one graph: operations a row, bytes of its weights, bytes a row of what goes in and comes out."""

    flops: int
    weights: int
    row_bytes: int


def ceiling_of(device: str) -> Ceiling | None:
    """That of a card by its name; None where it is not listed."""
    return next((ceiling for name, ceiling in CEILINGS.items() if name in device), None)


def work_of(bundle: Bundle, role: str) -> Work:
    """Counted from the graph."""
    facts = next(graph for graph in inspect_bundle(bundle).graphs if graph.role == role)
    spec = bundle.manifest.graphs[role]
    sizes = [
        prod(int(axis) for axis in tensor.shape[1:]) * _BYTES[tensor.dtype] for tensor in (*spec.inputs, *spec.outputs)
    ]
    return Work(facts.flops, facts.bytes, sum(sizes))


def share_of_roofline(
    work: Work, rows: int, times: list[float], precision: str, ceiling: Ceiling | None
) -> float | None:
    """The least time that the card could take over the median of what it took; None for an unknown card."""
    if ceiling is None:
        return None
    computing_s = rows * work.flops / ceiling.flops[precision]
    moving_s = (work.weights * _WEIGHTS[precision] + rows * work.row_bytes) / ceiling.bytes_per_s
    return float(max(computing_s, moving_s) / np.median(times))
