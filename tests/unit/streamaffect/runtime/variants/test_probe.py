"""Probe crops: what a variant says of them is held against fp32, output by output."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants.probe import Probe, answer, objections, pack_probe, read_probe
from tests.support.bundles import edit_manifest, write_bundle
from tests.support.variants.twins import write_twin_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_twin_bundle(tmp_path_factory.mktemp("twin") / "bundle")


@pytest.fixture
def probe(bundle: Bundle) -> Probe:
    return read_probe(bundle)


def rewrite(bundle: Bundle, folder: Path, data: bytes) -> Bundle:
    """A copy of the bundle with another probe file, named by its hash."""
    folder.mkdir()
    for file in bundle.path.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "probe.npz").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_manifest(folder, lambda manifest: manifest["probe"].update(sha256=digest))
    return load_bundle(folder)


def test_a_packed_probe_is_read_again_and_packs_to_the_same_bytes(bundle: Bundle, probe: Probe) -> None:
    assert probe.crops.shape[1:] == (32, 32, 3) and len(probe.crops) > 10
    assert set(probe.answers) == {"affect", "affect_spread", "emotions"}
    assert pack_probe(probe) == (bundle.path / "probe.npz").read_bytes()


def test_the_fp32_graphs_say_what_the_probe_says(bundle: Bundle, probe: Probe) -> None:
    found = answer(OnnxRuntimeEngine(bundle), bundle.manifest, probe.crops)
    assert list(objections(bundle.manifest, probe.answers, found)) == []
    assert all(np.allclose(found[name], probe.answers[name], atol=1e-5) for name in found)


@pytest.mark.parametrize("wrong", [0.5, np.nan])
def test_one_output_that_is_off_is_named_with_what_is_allowed(bundle: Bundle, probe: Probe, wrong: float) -> None:
    found = {name: array.copy() for name, array in probe.answers.items()}
    found["affect"][3, 1] += wrong
    (sentence,) = objections(bundle.manifest, probe.answers, found)
    assert sentence.startswith("affect.arousal is off by") and "allowed are" in sentence


def test_an_output_without_a_limit_is_refused(bundle: Bundle, probe: Probe, tmp_path: Path) -> None:
    other = rewrite(bundle, tmp_path / "other", pack_probe(probe))
    edit_manifest(other.path, lambda manifest: manifest["probe"]["limits"]["emotions"].pop("green"))
    manifest = load_bundle(other.path).manifest
    assert list(objections(manifest, probe.answers, probe.answers)) == ["emotions.green has no limit in the bundle"]


def test_a_damaged_probe_is_one_line(bundle: Bundle, tmp_path: Path) -> None:
    for name, data in (
        ("zip", b"PK no zip"),
        ("nothing", b""),
        ("cut", (bundle.path / "probe.npz").read_bytes()[:999]),
    ):
        with pytest.raises(EngineError, match=r"probe\.npz: not a file of probe crops"):
            read_probe(rewrite(bundle, tmp_path / name, data))


def test_a_probe_of_other_crops_or_heads_is_refused(bundle: Bundle, probe: Probe, tmp_path: Path) -> None:
    small = Probe(probe.crops[:, :16, :16], probe.answers)
    narrow = Probe(probe.crops, {**probe.answers, "affect": probe.answers["affect"][:, :1]})
    lacking = Probe(probe.crops, {"affect": probe.answers["affect"]})
    for name, other in (("small", small), ("narrow", narrow)):
        with pytest.raises(EngineError, match="do not fit crops of 32 pixels or the heads"):
            read_probe(rewrite(bundle, tmp_path / name, pack_probe(other)))
    with pytest.raises(EngineError, match="not a file of probe crops"):
        read_probe(rewrite(bundle, tmp_path / "lacking", pack_probe(lacking)))


def test_a_bundle_without_a_probe_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no probe crops"):
        read_probe(load_bundle(write_bundle(tmp_path / "old")))
