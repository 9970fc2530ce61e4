"""Which engine is taken: the fastest of those that were verified here, never another; a named one or an error."""

import logging
from pathlib import Path

import numpy as np
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from tests.support.bundles import SIZE, frame_encoder, write_bundle
from tests.support.gpu.engine_entries import make_key, measured, publish, ready, verified

GRAPHS = {"frame_encoder": frame_encoder(SIZE).SerializeToString()}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def root(private_engine_cache: Path) -> Path:
    return private_engine_cache


def chosen(bundle: Bundle, backend: str = "auto", precision: str = "auto") -> tuple[str, str]:
    engine = open_engine(bundle, backend, precision=precision)
    engine.encode_frames(np.zeros((2, SIZE, SIZE, 3), np.uint8))
    return engine.info.precision, engine.info.reason


def test_without_compiled_engines_auto_runs_fp32_and_names_the_command(bundle: Bundle) -> None:
    precision, reason = chosen(bundle)
    assert precision == "fp32"
    assert "engines build" in reason


def test_auto_takes_the_fastest_verified_engine_and_says_why(bundle: Bundle, root: Path) -> None:
    ready(root, make_key(bundle, precision="bf16"), speedup=1.4, graphs=GRAPHS)
    ready(root, make_key(bundle, precision="int8"), speedup=2.5, graphs=GRAPHS)
    precision, reason = chosen(bundle)
    assert precision == "int8"
    assert "2.5 times as fast" in reason and "verified 2026-11-20" in reason


def test_auto_never_takes_an_engine_that_was_not_verified(bundle: Bundle, root: Path) -> None:
    engine = publish(root, make_key(bundle), graphs=GRAPHS)
    measured(root, engine, speedup=9.0)
    precision, reason = chosen(bundle)
    assert precision == "fp32"
    assert "not verified" in reason


def test_auto_never_takes_an_engine_that_was_refused(bundle: Bundle, root: Path) -> None:
    engine = publish(root, make_key(bundle), graphs=GRAPHS)
    measured(root, verified(root, engine, failures=["affect.valence"]), speedup=9.0)
    precision, reason = chosen(bundle)
    assert precision == "fp32"
    assert "refused by verification" in reason


def test_auto_passes_over_an_engine_that_was_not_measured(bundle: Bundle, root: Path) -> None:
    verified(root, publish(root, make_key(bundle), graphs=GRAPHS))
    assert chosen(bundle)[0] == "fp32"


def test_auto_passes_over_an_engine_that_gains_nothing(bundle: Bundle, root: Path) -> None:
    ready(root, make_key(bundle), speedup=0.9, graphs=GRAPHS)
    precision, reason = chosen(bundle)
    assert precision == "fp32"
    assert "no faster" in reason


def test_auto_passes_over_an_engine_of_another_version(bundle: Bundle, root: Path) -> None:
    ready(root, make_key(bundle, version="0.0.1"), speedup=9.0, graphs=GRAPHS)
    precision, reason = chosen(bundle)
    assert precision == "fp32"
    assert "built with onnxruntime 0.0.1" in reason


def test_auto_passes_over_an_engine_of_another_processor(bundle: Bundle, root: Path) -> None:
    ready(root, make_key(bundle, device="8086"), speedup=9.0, graphs=GRAPHS)
    precision, reason = chosen(bundle)
    assert precision == "fp32"
    assert "built for 8086" in reason


def test_auto_passes_over_an_engine_of_another_bundle(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    other = load_bundle(write_bundle(tmp_path / "other", period_s=0.5))
    ready(root, make_key(other), speedup=9.0, graphs=GRAPHS)
    assert chosen(bundle)[0] == "fp32"


def test_a_corrupted_engine_is_reported_and_the_next_best_runs(
    bundle: Bundle, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    best = ready(root, make_key(bundle, precision="int8"), speedup=2.5, graphs=GRAPHS)
    ready(root, make_key(bundle, precision="bf16"), speedup=1.4, graphs=GRAPHS)
    (best.folder / "frame_encoder.onnx").write_bytes(b"altered")
    with caplog.at_level(logging.WARNING):
        assert chosen(bundle)[0] == "bf16"
    assert "sha256" in caplog.text


def test_a_named_backend_takes_its_verified_engine(bundle: Bundle, root: Path) -> None:
    ready(root, make_key(bundle), speedup=2.5, graphs=GRAPHS)
    precision, reason = chosen(bundle, "onnxruntime")
    assert precision == "int8"
    assert reason.startswith("asked for by --engine onnxruntime")


def test_a_precision_can_be_asked_for(bundle: Bundle, root: Path) -> None:
    ready(root, make_key(bundle), speedup=2.5, graphs=GRAPHS)
    assert chosen(bundle, "onnxruntime", "fp32")[0] == "fp32"
    assert chosen(bundle, "auto", "fp32")[0] == "fp32"
    assert chosen(bundle, "auto", "int8")[0] == "int8"


def test_a_precision_that_is_not_there_is_refused_with_the_command(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="engines build --backend onnxruntime --precision int8"):
        open_engine(bundle, "onnxruntime", precision="int8")
    with pytest.raises(EngineError, match="engines build --precision int8"):
        open_engine(bundle, "auto", precision="int8")


def test_a_corrupted_engine_that_was_asked_for_by_name_is_refused(bundle: Bundle, root: Path) -> None:
    engine = ready(root, make_key(bundle), speedup=2.5, graphs=GRAPHS)
    (engine.folder / "frame_encoder.onnx").write_bytes(b"altered")
    with pytest.raises(EngineError, match="sha256"):
        open_engine(bundle, "onnxruntime")


def test_a_backend_that_is_not_installed_is_refused_with_the_command(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamaffect.runtime.choice.backend_version", lambda backend: None)
    for backend, extra in (("openvino",) * 2, ("tensorrt",) * 2, ("tensorrt_rtx", "tensorrt-rtx")):
        with pytest.raises(EngineError, match=rf"pip install 'streamaffect\[{extra}\]'"):
            open_engine(bundle, backend)


@pytest.mark.parametrize(("backend", "precision"), [("tensorflow", "auto"), ("auto", "fp8")])
def test_an_unknown_name_is_refused_with_the_known_ones(bundle: Bundle, backend: str, precision: str) -> None:
    with pytest.raises(EngineError, match="is unknown"):
        open_engine(bundle, backend, precision=precision)
