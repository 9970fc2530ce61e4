"""The files of variants: read where they are what the manifest says, else one line that names the file."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.variants.files import precisions_of, read_graphs
from tests.support.bundles import context_head, edit_manifest, frame_encoder, write_bundle
from tests.support.variants.twins import write_twin_bundle

TWIN = "frame_encoder.int8.onnx"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_twin_bundle(tmp_path_factory.mktemp("twin") / "bundle")


@pytest.fixture
def folder(shared: Bundle, tmp_path: Path) -> Path:
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in shared.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def variant(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["graphs"]["frame_encoder"]["variants"][0]
    return found


def test_a_bundle_without_variants_has_none(tmp_path: Path) -> None:
    assert precisions_of(load_bundle(write_bundle(tmp_path / "old"))) == []


def test_the_graphs_of_a_precision_are_read_by_role(shared: Bundle) -> None:
    assert precisions_of(shared) == ["int8"]
    assert read_graphs(shared, "int8") == {"frame_encoder": (shared.path / TWIN).read_bytes()}
    assert read_graphs(shared, "bf16") == {}


def test_an_unknown_precision_is_passed_over(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: variant(manifest).update(precision="int3"))
    assert precisions_of(load_bundle(folder)) == []


def _replaced(model: onnx.ModelProto) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = model.SerializeToString()
        (folder / TWIN).write_bytes(data)
        edit_manifest(folder, lambda manifest: variant(manifest).update(sha256=hashlib.sha256(data).hexdigest()))

    return change


def _altered(folder: Path) -> None:
    (folder / TWIN).write_bytes(b"x")


def _text(folder: Path) -> None:
    (folder / TWIN).write_text("none")
    edit_manifest(folder, lambda manifest: variant(manifest).update(sha256=hashlib.sha256(b"none").hexdigest()))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda folder: (folder / TWIN).unlink(), r"int8\.onnx: cannot be read .*though manifest.json names it"),
    "altered": (_altered, r"int8\.onnx: sha256 is .*manifest.json says"),
    "of another size": (_replaced(frame_encoder(48)), r"inputs are .*48, 48, 3.*those of frame_encoder.onnx are .*32"),
    "another graph": (_replaced(context_head(3)), r"inputs are .*clip float32"),
    "no graph": (_text, "not an ONNX model"),
    "elsewhere": (
        lambda folder: edit_manifest(folder, lambda manifest: variant(manifest).update(file="../other.onnx")),
        "not a name in the same folder",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_twin_that_is_not_what_the_manifest_says_is_refused_and_the_bundle_still_loads(
    folder: Path, fault: str
) -> None:
    change, message = BROKEN[fault]
    change(folder)
    bundle = load_bundle(folder)
    with pytest.raises(EngineError, match=message) as caught:
        read_graphs(bundle, "int8")
    assert "\n" not in str(caught.value)
