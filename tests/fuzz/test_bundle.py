"""A bundle's folder: whatever has happened to its files, it loads or one line names the file."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.runtime.bundle import MANIFEST, load_bundle
from streamaffect.runtime.manifest import ROLES
from tests.fuzz.byte_parsers import check_bundle, check_manifest
from tests.fuzz.effort import effort
from tests.fuzz.mutation import json_mutated, mutated
from tests.support.bundles import write_bundle


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a good bundle, by name."""
    folder = write_bundle(tmp_path_factory.mktemp("pristine") / "bundle")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def folder(pristine: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder with a good bundle."""
    write(tmp_path, pristine)
    load_bundle(tmp_path)
    return tmp_path


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_the_pristine_bundle_loads(folder: Path) -> None:
    check_bundle(folder)


@effort
@given(data=st.data())
def test_a_damaged_manifest_loads_or_is_named(folder: Path, pristine: dict[str, bytes], data: st.DataObject) -> None:
    check_manifest(folder, data.draw(mutated(pristine[MANIFEST])))


@effort
@given(data=st.data())
def test_a_manifest_with_one_wrong_value_loads_or_is_named(
    folder: Path, pristine: dict[str, bytes], data: st.DataObject
) -> None:
    manifest = data.draw(json_mutated(json.loads(pristine[MANIFEST])))
    check_manifest(folder, json.dumps(manifest).encode())


@effort
@given(data=st.data(), role=st.sampled_from(ROLES), honest=st.booleans())
def test_a_damaged_graph_loads_or_is_named(
    folder: Path, pristine: dict[str, bytes], data: st.DataObject, role: str, honest: bool
) -> None:
    """`honest`: its new SHA-256 stands in the manifest, so that its contents are looked at."""
    graph = data.draw(mutated(pristine[f"{role}.onnx"]))
    manifest: dict[str, Any] = json.loads(pristine[MANIFEST])
    if honest:
        manifest["graphs"][role]["sha256"] = hashlib.sha256(graph).hexdigest()
    write(folder, pristine | {f"{role}.onnx": graph, MANIFEST: json.dumps(manifest).encode()})
    check_bundle(folder)
