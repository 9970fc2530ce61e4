"""A bundle's own int8 graph, from the first start of a program to what its users see of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import streamaffect
from streamaffect.recordings.reading import read_recording
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.variants.report import make_key, read_report
from streamaffect.verbs import doctor_engines
from streamaffect.verbs.findings import Finding
from tests.support.variants.findings import finding, keep
from tests.support.variants.twins import write_twin_bundle

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_twin_bundle(tmp_path_factory.mktemp("twin") / "bundle")


def run(recording: Path, bundle: Bundle, *more: str) -> None:
    """Stream two seconds of the demo clip."""
    words = ["--source", str(DEMO), "--bundle", str(bundle.path), "--record", str(recording), "--max-seconds", "2"]
    command = [sys.executable, str(ROOT / "run_stream.py"), "--bind", "tcp://127.0.0.1:0", *words, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def engines(*words: object) -> str:
    command = [sys.executable, "-m", "engines", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_the_start_that_tries_and_the_next_one_give_the_same_bytes(twin: Bundle, tmp_path: Path) -> None:
    for name in ("first", "second"):
        run(tmp_path / name, twin)
    report = read_report(make_key(twin, 1))
    assert report is not None and report.tried[0].failure is None
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_recording_says_which_variant_ran_and_fp32_can_be_pinned(
    twin: Bundle, tmp_path: Path, private_engine_cache: Path
) -> None:
    keep(private_engine_cache, finding(twin, frame_ms=0.5))
    run(tmp_path / "int8", twin)
    run(tmp_path / "fp32", twin, "--set", "engine.precision=fp32")
    quick, exact = (read_recording(tmp_path / name) for name in ("int8", "fp32"))
    assert (quick.header.engine, exact.header.engine) == ("onnxruntime CPU int8", "onnxruntime CPU fp32")


def test_analyze_and_analyze_image_take_what_a_run_takes_and_can_be_pinned(
    twin: Bundle, private_engine_cache: Path
) -> None:
    import numpy as np

    keep(private_engine_cache, finding(twin, frame_ms=0.5))
    image = np.random.default_rng(4).integers(0, 256, (200, 200, 3), np.uint8)
    section = {"precision": "fp32"}

    def still(engine: "str | dict[str, str]") -> float | None:
        return streamaffect.analyze_image(image, boxes=[(0, 0, 1, 1)], bundle=twin.path, engine=engine)[0].valence

    def clip(engine: "str | dict[str, str]") -> list[float | None]:
        found = streamaffect.analyze(DEMO, bundle=twin, engine=engine, run={"max_seconds": 0.5})
        return [estimate.valence for estimate in found]

    for ask in (still, clip):
        assert ask("auto") == ask("onnxruntime") == ask({"precision": "int8"})
        assert ask("auto") != ask(section)


@pytest.mark.parametrize(
    ("kept", "state", "said"),
    [
        ({"frame_ms": 0.8}, "ok", "int8 of the bundle, 2.5 times as fast as fp32 here"),
        ({"frame_ms": 2.0}, "ok", "int8 of the bundle gains too little here"),
        ({"frame_ms": 1.0, "failure": "affect.valence is off"}, "ok", "refused here: affect.valence is off"),
        (None, "absent", "int8 of default@1.2.1 not tried on this machine yet"),
        ("{", "absent", "not a report on variants"),
    ],
)
def test_doctor_says_what_was_found_of_each_variant(
    private_engine_cache: Path, kept: "dict[str, float | str] | str | None", state: str, said: str
) -> None:
    bundle = load_bundle()
    file = private_engine_cache / make_key(bundle, 1).file.name
    if isinstance(kept, dict):
        keep(private_engine_cache, finding(bundle, **kept))  # type: ignore[arg-type]
    elif kept is None:
        file.unlink()
    else:
        file.write_text(kept)
    found: dict[str, Finding] = {one.name: one for one in doctor_engines.engine_findings()}
    assert found["variants"].state == state
    assert said in found["variants"].detail


def test_build_takes_the_graph_that_the_bundle_brings_and_clean_forgets_what_was_found(
    twin: Bundle, private_engine_cache: Path
) -> None:
    keep(private_engine_cache, finding(twin, frame_ms=0.8))
    built = json.loads(engines("build", "--backend", "onnxruntime", "--precision", "int8", "--json", twin.path))
    graph = twin.manifest.graphs["frame_encoder"].variants[0]
    assert built[0]["record"]["graphs"]["frame_encoder"]["sha256"] == graph.sha256
    assert "2 trial(s)" not in engines("clean")
    assert "1 removed, 0 kept; 1 trial(s) of variants forgotten" in engines("clean", twin.path)
    assert read_report(make_key(twin, 1)) is None
