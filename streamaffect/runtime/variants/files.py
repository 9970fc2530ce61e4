"""The files of a bundle that variants need, read as what the manifest says they are."""

from pathlib import Path
from typing import get_args

from streamaffect.checked_file import read_checked
from streamaffect.errors import BundleError, EngineError
from streamaffect.runtime.bundle import MANIFEST, Bundle
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import TensorSpec, VariantSpec
from streamaffect.runtime.onnx_file import read_signature

FP32 = "fp32"
REPAIR = "copy the bundle again, or reinstall what it came with"


def precisions_of(bundle: Bundle) -> list[Precision]:
    """Those in which the bundle has a variant of any graph, in the order of the manifest."""
    known: tuple[Precision, ...] = get_args(Precision)
    named = {variant.precision for graph in bundle.manifest.graphs.values() for variant in graph.variants}
    return [precision for precision in known if precision in named and precision != FP32]


def read_graphs(bundle: Bundle, precision: Precision) -> dict[str, bytes]:
    """The graphs of a precision by role; a role without one runs as it is.

    Raises EngineError where a file is not there, not the one that the manifest names, or no twin of its graph.
    """
    return {
        role: _read_graph(bundle, role, variant)
        for role, graph in bundle.manifest.graphs.items()
        for variant in graph.variants
        if variant.precision == precision
    }


def read_listed(bundle: Bundle, name: str, sha256: str) -> bytes:
    """A file beside the manifest with this hash; raises EngineError."""
    file = bundle.path / name
    if Path(name).name != name:
        raise EngineError(f"{bundle.path / MANIFEST}: {name!r} is not a name in the same folder; {REPAIR}")
    return read_checked(file, sha256, noted_by=MANIFEST, remedy=REPAIR, refusal=EngineError)


def _read_graph(bundle: Bundle, role: str, variant: VariantSpec) -> bytes:
    data = read_listed(bundle, variant.file, variant.sha256)
    file, twin = bundle.path / variant.file, bundle.manifest.graphs[role]
    try:
        signature = read_signature(file)
    except BundleError as error:
        raise EngineError(str(error)) from None
    if signature.external_data is not None:
        raise EngineError(f"{file}: tensor {signature.external_data!r} is stored outside the file, which is refused")
    for side, expected, found in (
        ("inputs", twin.inputs, signature.inputs),
        ("outputs", twin.outputs, signature.outputs),
    ):
        if _outside(expected) != _outside(found):
            raise EngineError(f"{file}: {side} are {_outside(found)}, those of {twin.file} are {_outside(expected)}")
    return data


def _outside(specs: list[TensorSpec]) -> list[str]:
    """Name, type and shape of each; a dynamic axis may have any name."""
    return sorted(
        f"{spec.name} {spec.dtype} ({', '.join('N' if isinstance(axis, str) else str(axis) for axis in spec.shape)})"
        for spec in specs
    )
