"""Loading a bundle: what is right loads, and each thing that can be wrong is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.bundles import (
    DIM,
    SIZE,
    clip_encoder,
    context_head,
    edit_manifest,
    frame_encoder,
    replace_graph,
    write_bundle,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def test_a_valid_bundle_says_what_it_is(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.manifest.label == "colours@1.0"
    assert (bundle.feature_dim, bundle.clip_dim) == (DIM, DIM)
    assert bundle.manifest.context.clips == 3


def test_the_shipped_bundle_is_valid() -> None:
    bundle = load_bundle()
    published = {output.name for head in bundle.manifest.heads for output in head.outputs}
    assert {"valence", "arousal", "happiness"} <= published
    assert sum(file.stat().st_size for file in bundle.path.iterdir()) <= 14 * 2**20


def test_unknown_keys_are_ignored(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(audio={"rate_hz": 16000}))
    assert load_bundle(folder).manifest.name == "colours"


def _flip_byte(folder: Path) -> None:
    file = folder / "clip_encoder.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _external_data(folder: Path) -> None:
    model = frame_encoder(SIZE)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(4096, np.float32), "big"))
    replace_graph(folder, "frame_encoder", model, save_as_external_data=True, size_threshold=0)


def _not_utf8(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b'{"name": "\xff"}')


def _no_such_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no such folder": (_no_such_folder, "no such folder"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "there is no manifest.json"),
    "not JSON": (lambda folder: _write(folder, "{"), "not JSON"),
    "not UTF-8": (_not_utf8, "not JSON"),
    "lists without end": (lambda folder: _write(folder, "[" * 100_000), "not JSON"),
    "not an object": (lambda folder: _write(folder, "[1]"), "schema is None"),
    "unknown schema": (lambda folder: _edit(folder, schema=9), "schema is 9, this version reads 1"),
    "a key of the wrong type": (lambda folder: _edit(folder, clip={"frames": "4", "period_s": 1}), "clip.frames"),
    "a number out of range": (lambda folder: _edit(folder, clip={"frames": 0, "period_s": 1}), "clip.frames is 0"),
    "a flipped byte": (_flip_byte, "clip_encoder.onnx: sha256 is"),
    "a missing graph": (lambda folder: (folder / "context_head.onnx").unlink(), "context_head.onnx: missing"),
    "a graph that is not named": (
        lambda folder: edit_manifest(folder, lambda manifest: manifest["graphs"].pop("clip_encoder")),
        "graphs.clip_encoder is missing",
    ),
    "a graph outside the folder": (
        lambda folder: edit_manifest(folder, lambda m: m["graphs"]["clip_encoder"].update(file="../clip_encoder.onnx")),
        "expected a name in the same folder",
    ),
    "a crop of another size": (
        lambda folder: replace_graph(folder, "frame_encoder", frame_encoder(SIZE * 2)),
        "input 'crops' must be uint8 (N, 32, 32, 3), found uint8 (N, 64, 64, 3)",
    ),
    "a clip of another length": (
        lambda folder: replace_graph(folder, "clip_encoder", clip_encoder(7)),
        "input 'features' must be float32 (N, 4, 3), found float32 (N, 7, 3)",
    ),
    "a context of another size": (
        lambda folder: replace_graph(folder, "context_head", context_head(9)),
        "input 'context' must be float32 (N, 3, 3)",
    ),
    "a head that the graph lacks": (
        lambda folder: edit_manifest(folder, lambda manifest: manifest["heads"][2].update(name="pain")),
        "output 'pain' must be float32 (N, 3)",
    ),
    "a calibration without its spread": (
        lambda folder: edit_manifest(folder, lambda m: m["heads"][0]["calibration"].update(spread="nowhere")),
        "calibration needs the head 'nowhere'",
    ),
    "a spread that no graph computes": (
        lambda folder: edit_manifest(folder, lambda manifest: manifest["heads"][1].update(input="clip")),
        "calibration needs the head 'affect_spread' with input 'context'",
    ),
    "external data": (_external_data, "is stored outside the file"),
    "a graph that is no ONNX file": (lambda folder: _replace_bytes(folder, b"\x08\xff hello"), "not an ONNX model"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_its_file(folder: Path, case: str) -> None:
    break_it, message = BROKEN[case]
    break_it(folder)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_engine_computes_what_the_graphs_say(folder: Path) -> None:
    engine = OnnxRuntimeEngine(load_bundle(folder))
    crops = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    crops[0, ..., 0] = 255
    features = engine.encode_frames(crops)
    assert features.tolist() == [[1, 0, 0], [0, 0, 0]]
    clip = engine.encode_clips(np.repeat(features[:, None], 4, axis=1))
    valid = np.array([[False, False, True]] * 2)
    heads = engine.run_heads(clip, np.repeat(clip[:, None], 3, axis=1), valid)
    assert heads["affect"].tolist() == [[1, -1], [-1, -1]]


def _write(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)


def _edit(folder: Path, **values: Any) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(values))


def _replace_bytes(folder: Path, data: bytes) -> None:
    import hashlib

    (folder / "frame_encoder.onnx").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_manifest(folder, lambda manifest: manifest["graphs"]["frame_encoder"].update(sha256=digest))
