"""The engine cache, read: what was built is found again, and nothing else is loaded."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine_cache import CachedEngine, cache_folder, list_engines, load_entry
from tests.support.bundles import SIZE, frame_encoder, write_bundle
from tests.support.gpu.engine_entries import make_key, measured, publish, ready, rewrite, verified


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def root(private_engine_cache: Path) -> Path:
    return private_engine_cache


@pytest.fixture
def engine(root: Path, bundle: Bundle) -> CachedEngine:
    graph = frame_encoder(SIZE).SerializeToString()
    return publish(root, make_key(bundle), graphs={"frame_encoder": graph})


def test_what_was_published_is_found_with_its_graphs(root: Path, engine: CachedEngine) -> None:
    found, broken = list_engines()
    assert (found, broken) == ([engine], [])
    assert engine.read_graphs() == {"frame_encoder": frame_encoder(SIZE).SerializeToString()}


def test_an_empty_cache_holds_nothing(tmp_path: Path) -> None:
    assert list_engines(tmp_path / "never written") == ([], [])


def test_the_variable_moves_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMAFFECT_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv("STREAMAFFECT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "streamaffect" / "engines"


@pytest.mark.parametrize(
    "other",
    [
        {"backend": "openvino"},
        {"precision": "fp32"},
        {"provider": "CUDA"},
        {"version": "0.0.1"},
        {"device": "another processor"},
        {"software": "streamaffect 0.0.1"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_every_part_of_a_key_makes_another_engine(bundle: Bundle, other: dict[str, str]) -> None:
    assert make_key(bundle, **other).digest != make_key(bundle).digest  # type: ignore[arg-type]


def test_the_folder_and_its_files_are_closed_to_others(engine: CachedEngine) -> None:
    assert engine.folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in engine.folder.iterdir()} == {0o600}


def _flip(engine: CachedEngine) -> None:
    file = engine.folder / "frame_encoder.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _cut(engine: CachedEngine) -> None:
    file = engine.folder / "frame_encoder.onnx"
    file.write_bytes(file.read_bytes()[:-10])


def _open_file(engine: CachedEngine) -> None:
    (engine.folder / "frame_encoder.onnx").chmod(0o666)


def _link(engine: CachedEngine) -> None:
    file = engine.folder / "frame_encoder.onnx"
    file.rename(engine.folder / "elsewhere")
    file.symlink_to(engine.folder / "elsewhere")


def _remove(engine: CachedEngine) -> None:
    (engine.folder / "frame_encoder.onnx").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_flip, "sha256"),
        (_cut, "sha256"),
        (_open_file, "others can write"),
        (_link, "not a regular file"),
        (_remove, "cannot be read"),
    ],
)
def test_a_graph_that_is_not_what_was_built_is_not_read(
    engine: CachedEngine, damage: Callable[[CachedEngine], None], words: str
) -> None:
    damage(engine)
    with pytest.raises(EngineError, match=words) as refusal:
        engine.read_graphs()
    assert "frame_encoder.onnx" in str(refusal.value)


def test_a_graph_whose_data_lies_elsewhere_is_not_read(root: Path, bundle: Bundle, tmp_path: Path) -> None:
    model = frame_encoder(SIZE)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(4096, np.float32), "big"))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0)
    engine = publish(root, make_key(bundle), graphs={"frame_encoder": (tmp_path / "model.onnx").read_bytes()})
    with pytest.raises(EngineError, match="outside the file"):
        engine.read_graphs()


def test_a_record_cannot_point_out_of_its_folder(engine: CachedEngine) -> None:
    digest = engine.record.graphs["frame_encoder"].sha256
    rewrite(engine.folder / "engine.json", graphs={"frame_encoder": {"file": "../stolen.onnx", "sha256": digest}})
    with pytest.raises(EngineError, match="not a name in the same folder"):
        load_entry(engine.folder).read_graphs()


def _open_folder(engine: CachedEngine) -> None:
    engine.folder.chmod(0o755)


def _other_schema(engine: CachedEngine) -> None:
    rewrite(engine.folder / "engine.json", schema=99)


def _no_json(engine: CachedEngine) -> None:
    (engine.folder / "engine.json").write_text("{")


def _other_name(engine: CachedEngine) -> None:
    engine.folder.rename(engine.folder.with_name("0" * 32))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_open_folder, "others can reach it"),
        (_other_schema, "schema is 99"),
        (_no_json, "not an engine's record"),
        (_other_name, "belongs to"),
    ],
)
def test_an_entry_that_is_not_as_the_tool_leaves_it_is_listed_as_broken(
    root: Path, engine: CachedEngine, damage: Callable[[CachedEngine], None], words: str
) -> None:
    damage(engine)
    found, broken = list_engines()
    assert found == []
    assert [words in entry.reason for entry in broken] == [True]


def test_an_engine_of_another_user_is_not_loaded(engine: CachedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    someone_else = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: someone_else)
    with pytest.raises(EngineError, match="belongs to user"):
        load_entry(engine.folder)


def test_nothing_is_taken_from_a_cache_that_others_can_write_to(root: Path, engine: CachedEngine) -> None:
    root.chmod(0o777)
    found, broken = list_engines()
    assert found == []
    assert "others can write" in broken[0].reason


def test_an_engine_of_another_version_says_which(root: Path, bundle: Bundle) -> None:
    engine = publish(root, make_key(bundle, version="0.0.1"))
    assert "built with onnxruntime 0.0.1" in (engine.staleness() or "")
    assert publish(root, make_key(bundle)).staleness() is None


def test_an_engine_of_another_streamaffect_says_so(root: Path, bundle: Bundle) -> None:
    engine = publish(root, make_key(bundle, software="streamaffect 0.0.1"))
    assert "built by streamaffect 0.0.1" in (engine.staleness() or "")


def test_a_report_counts_for_exactly_the_engine_it_was_made_for(root: Path, engine: CachedEngine) -> None:
    engine = measured(root, verified(root, engine), speedup=2.0)
    assert engine.is_verified and engine.bench is not None
    rewrite(engine.folder / "engine.json", created="another day")
    rebuilt = load_entry(engine.folder)
    assert not rebuilt.is_verified
    assert rebuilt.bench is None


def test_an_engine_that_failed_verification_is_not_verified(root: Path, engine: CachedEngine) -> None:
    assert not verified(root, engine, failures=["affect.valence: too far off"]).is_verified


def test_an_engine_is_rebuilt_in_place(root: Path, bundle: Bundle) -> None:
    first = ready(root, make_key(bundle), speedup=2.0)
    second = publish(root, make_key(bundle), graphs={"frame_encoder": frame_encoder(SIZE).SerializeToString()})
    assert second.folder == first.folder
    assert second.verify is None
    assert [engine.folder for engine in list_engines()[0]] == [first.folder]
