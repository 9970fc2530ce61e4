"""What `auto` does with a bundle's variants: one trial a machine, and a single line where something is wrong."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants import offer, trial
from streamaffect.runtime.variants.files import read_graphs
from streamaffect.runtime.variants.probe import read_probe
from streamaffect.runtime.variants.report import make_key, read_report
from streamaffect.runtime.variants.trial import try_variants
from tests.support.bundles import SIZE, edit_manifest
from tests.support.gpu.engine_entries import make_key as engine_key
from tests.support.gpu.engine_entries import ready
from tests.support.variants.findings import finding, keep
from tests.support.variants.twins import write_twin_bundle

TWIN = "frame_encoder.int8.onnx"
CROPS = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_twin_bundle(tmp_path_factory.mktemp("twin") / "bundle")


@pytest.fixture
def bundle(shared: Bundle, tmp_path: Path) -> Bundle:
    """A copy that a test may spoil."""
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in shared.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return load_bundle(copy)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial times for a moment only; nothing here depends on who wins."""
    monkeypatch.setattr(trial, "TIMED_S", 0.0)


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trial may happen."""

    def refuse(*parts: object) -> None:
        raise AssertionError("a trial that was not expected")

    monkeypatch.setattr(offer, "try_variants", refuse)


def spoil(bundle: Bundle) -> Bundle:
    """Its twin computes something else, and the manifest names it as it is."""
    model = onnx.load(bundle.path / TWIN)
    for tensor in model.graph.initializer:
        if tensor.name == "last":
            tensor.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(tensor), tensor.name))
    data = model.SerializeToString()
    (bundle.path / TWIN).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_manifest(bundle.path, lambda m: m["graphs"]["frame_encoder"]["variants"][0].update(sha256=digest))
    return load_bundle(bundle.path)


@pytest.mark.usefixtures("untried")
def test_auto_takes_a_variant_that_was_found_faster_and_says_why(bundle: Bundle, private_engine_cache: Path) -> None:
    keep(private_engine_cache, finding(bundle, frame_ms=0.8, reference_ms=2.0))
    engine = open_engine(bundle)
    assert str(engine.info) == "onnxruntime CPU int8"
    assert engine.info.reason == (
        "auto: int8 of the bundle, 2.5 times as fast as fp32 here (0.80 ms a face), verified on its 25 probe crops "
        "2026-11-20"
    )
    exact = OnnxRuntimeEngine(bundle).encode_frames(CROPS)
    assert not np.array_equal(engine.encode_frames(CROPS), exact)
    assert np.allclose(engine.encode_frames(CROPS), exact, atol=0.05)


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(("frame_ms", "failure"), [(2.0, None), (1.0, "affect.valence is off")])
def test_auto_runs_fp32_where_the_variant_lost_or_failed_and_names_it(
    bundle: Bundle, private_engine_cache: Path, frame_ms: float, failure: str | None
) -> None:
    keep(private_engine_cache, finding(bundle, frame_ms=frame_ms, failure=failure))
    info = open_engine(bundle).info
    assert info.precision == "fp32"
    assert (failure or "gains too little here, 1.00 times as fast as fp32") in info.reason


@pytest.mark.usefixtures("quick")
def test_the_first_start_tries_and_no_later_one_does(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_engine(bundle).info
    report = read_report(make_key(bundle, 1))
    assert report is not None and report.tried[0].failure is None and report.tried[0].frame_ms
    monkeypatch.setattr(offer, "try_variants", None)
    assert open_engine(bundle).info == first


@pytest.mark.usefixtures("quick")
def test_a_variant_that_computes_something_else_is_refused_by_the_probe(bundle: Bundle) -> None:
    info = open_engine(spoil(bundle)).info
    assert info.precision == "fp32"
    assert "int8 of the bundle is refused here: " in info.reason and "is off by" in info.reason


@pytest.mark.usefixtures("quick")
def test_a_variant_that_does_not_run_is_refused(bundle: Bundle) -> None:
    graphs = {"frame_encoder": (bundle.path / TWIN).read_bytes()[:-999]}
    report = try_variants(bundle, make_key(bundle, 1), {"int8": graphs}, read_probe(bundle))
    assert report.tried[0].failure == "ONNX Runtime does not run it"
    assert report.chosen is None


@pytest.mark.usefixtures("untried")
def test_a_damaged_variant_is_one_line_and_fp32_runs(
    bundle: Bundle, private_engine_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(private_engine_cache, finding(bundle, frame_ms=0.5))
    (bundle.path / TWIN).write_bytes(b"altered")
    info = open_engine(bundle).info
    assert info.precision == "fp32" and "int8 of the bundle is damaged" in info.reason
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "sha256 is" in caplog.text


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize("fault", ["probe", "cache", "report"])
def test_what_cannot_be_tried_is_one_line_and_fp32_runs(
    bundle: Bundle,
    private_engine_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    if fault == "probe":
        (bundle.path / "probe.npz").write_bytes(b"altered")
    elif fault == "cache":
        monkeypatch.setenv("STREAMAFFECT_CACHE", "/proc/engines")
    else:
        file = private_engine_cache / make_key(bundle, 1).file.name
        file.write_bytes(b"{")
        file.chmod(0o600)
    info = open_engine(bundle).info
    assert info.precision == "fp32" and "int8 of the bundle could not be tried" in info.reason
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_a_named_backend_and_precision_are_obeyed(bundle: Bundle, private_engine_cache: Path) -> None:
    keep(private_engine_cache, finding(bundle, frame_ms=0.8))
    assert open_engine(bundle, "onnxruntime").info.precision == "int8"
    assert open_engine(bundle, "onnxruntime", precision="fp32").info.precision == "fp32"
    assert open_engine(bundle, precision="fp32").info.precision == "fp32"
    assert open_engine(bundle, "openvino").info.precision == "fp32"


@pytest.mark.usefixtures("untried")
def test_a_precision_that_was_asked_for_may_be_slower_but_not_wrong(bundle: Bundle, private_engine_cache: Path) -> None:
    keep(private_engine_cache, finding(bundle, frame_ms=9.0))
    assert open_engine(bundle, precision="int8").info.precision == "int8"
    keep(private_engine_cache, finding(bundle, frame_ms=9.0, failure="affect.valence is off"))
    for backend in ("auto", "onnxruntime"):
        with pytest.raises(EngineError, match=r"refused here: affect.valence is off; .*engines build"):
            open_engine(bundle, backend, precision="int8")


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(("speedup", "wins"), [(2.0, "variant"), (2.4, "compiled"), (3.0, "compiled")])
def test_a_compiled_engine_is_taken_unless_the_variant_is_clearly_faster(
    bundle: Bundle, private_engine_cache: Path, speedup: float, wins: str
) -> None:
    keep(private_engine_cache, finding(bundle, frame_ms=0.8, reference_ms=2.0))
    ready(private_engine_cache, engine_key(bundle), speedup=speedup, graphs=read_graphs(bundle, "int8"))
    for backend in ("auto", "onnxruntime"):
        reason = open_engine(bundle, backend).info.reason
        assert ("of the bundle" in reason) == (wins == "variant")


@pytest.mark.usefixtures("quick")
def test_the_shipped_variant_is_right_on_this_machine() -> None:
    bundle = load_bundle()
    report = try_variants(bundle, make_key(bundle, 1), {"int8": read_graphs(bundle, "int8")}, read_probe(bundle))
    assert report.tried[0].failure is None
