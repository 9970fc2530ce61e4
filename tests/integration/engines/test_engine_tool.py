"""`python -m engines` as its user meets it: builds, interruptions, races, damage, refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.store import UNFINISHED
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine_cache import CachedEngine, list_engines
from streamaffect.runtime.machine import backend_version
from tests.support.bundles import add_attention_graph, edit_manifest
from tests.support.conv_bundles import write_conv_bundle
from tests.support.gpu.engine_entries import make_key, publish, ready, rewrite

ROOT = Path(__file__).parents[3]
BUILD = ["build", "--backend", "onnxruntime", "--precision", "int8"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_conv_bundle(tmp_path / "bundle")


@pytest.fixture
def cache(private_engine_cache: Path) -> Path:
    return private_engine_cache


def engines(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engines", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def start(*words: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "engines", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def built(cache: Path) -> list[CachedEngine]:
    return list_engines(cache)[0]


def leftovers(cache: Path) -> list[str]:
    return [entry.name for entry in cache.iterdir() if entry.name.endswith(UNFINISHED)]


@pytest.fixture
def build_at_work(bundle: Path, cache: Path) -> Iterator["subprocess.Popen[str]"]:
    """A build that stands still in the middle, until SIGCONT: its workspace exists, its engine does not."""
    process = _stopped_build(bundle, cache)
    while not leftovers(cache) or built(cache):  # it was done before it stood still: on a busy machine that happens
        process.kill()
        process.communicate()
        for entry in cache.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        process = _stopped_build(bundle, cache)
    yield process
    process.kill()
    process.communicate()


def _stopped_build(bundle: Path, cache: Path) -> "subprocess.Popen[str]":
    process = start(*BUILD, bundle)
    deadline = time.monotonic() + 60
    while not leftovers(cache) and not built(cache):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    if process.poll() is None:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return process


def test_a_build_is_verified_measured_and_taken_by_auto(bundle: Path, cache: Path) -> None:
    done = engines("build", "--backend", "onnxruntime", "--precision", "fp32", bundle)
    assert done.returncode == 0, done.stderr
    assert "onnxruntime CPU fp32" in done.stdout
    (engine,) = built(cache)
    assert engine.is_verified
    assert engine.bench is not None
    assert {file.name for file in engine.folder.iterdir()} == {"engine.json", "verify.json", "bench.json"}
    rewrite(engine.folder / "bench.json", frame_ms=1.0, reference_frame_ms=2.0)
    assert "2.0 times as fast" in open_engine(load_bundle(bundle)).info.reason


def test_reports_are_printed_as_json(bundle: Path) -> None:
    done = engines(*BUILD, "--json", bundle)
    (report,) = json.loads(done.stdout)
    assert report["record"]["key"]["precision"] == "int8"
    assert report["record"]["calibration"] == "the shipped demo clip"
    assert {check["output"] for check in report["verify"]["outputs"]} >= {"valence", "arousal"}
    assert done.returncode == (0 if not report["verify"]["failures"] else 1)


def test_a_second_build_finds_the_first(bundle: Path, cache: Path) -> None:
    engines(*BUILD, bundle)
    before = (built(cache)[0].folder / "engine.json").stat().st_mtime_ns
    assert "compile" not in engines(*BUILD, bundle).stderr
    assert (built(cache)[0].folder / "engine.json").stat().st_mtime_ns == before
    assert "compile" in engines(*BUILD, "--rebuild", bundle).stderr


def test_a_build_that_is_stopped_leaves_nothing(build_at_work: "subprocess.Popen[str]", cache: Path) -> None:
    build_at_work.send_signal(signal.SIGTERM)
    build_at_work.send_signal(signal.SIGCONT)
    _, errors = build_at_work.communicate(timeout=60)
    assert build_at_work.returncode == 130
    assert "nothing unfinished is left" in errors
    assert leftovers(cache) == []
    assert list_engines(cache) == ([], [])


def test_a_build_that_is_killed_leaves_no_engine_and_the_next_one_cleans_up(
    build_at_work: "subprocess.Popen[str]", bundle: Path, cache: Path
) -> None:
    build_at_work.kill()
    build_at_work.communicate(timeout=60)
    assert list_engines(cache) == ([], [])
    engines(*BUILD, bundle)
    assert leftovers(cache) == []
    assert len(built(cache)) == 1


def test_two_builds_at_once_make_one_engine(build_at_work: "subprocess.Popen[str]", bundle: Path, cache: Path) -> None:
    second = start(*BUILD, bundle)
    assert second.stderr is not None
    said: list[str] = []
    while not said or "another build is at work" not in said[-1]:
        said.append(second.stderr.readline())
        assert said[-1], "the second build ended without waiting"
    build_at_work.send_signal(signal.SIGCONT)
    first_errors = build_at_work.communicate(timeout=60)[1]
    second_errors = second.communicate(timeout=60)[1]
    assert "compile" in first_errors
    assert "compile" not in second_errors
    assert build_at_work.returncode == second.returncode
    assert len(built(cache)) == 1


def test_a_corrupted_engine_is_built_again(bundle: Path, cache: Path) -> None:
    engines(*BUILD, bundle)
    graph = built(cache)[0].folder / "frame_encoder.onnx"
    intact = graph.read_bytes()
    graph.write_bytes(intact[:-1])
    assert open_engine(load_bundle(bundle)).info.precision == "fp32"
    assert "compile" in engines(*BUILD, bundle).stderr
    assert built(cache)[0].read_graphs()["frame_encoder"]


def test_a_cache_that_cannot_be_written_is_a_users_error(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMAFFECT_CACHE", "/proc/engines")
    done = engines(*BUILD, bundle)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "STREAMAFFECT_CACHE" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_runs_from_a_cache_that_is_read_only(bundle: Path, cache: Path) -> None:
    ready(cache, make_key(load_bundle(bundle), precision="fp32"), speedup=2.0)
    cache.chmod(0o500)
    try:
        assert "2.0 times as fast" in open_engine(load_bundle(bundle)).info.reason
        if os.getuid() != 0:  # root writes everywhere
            assert engines(*BUILD, bundle).returncode == 2
    finally:
        cache.chmod(0o700)


def test_an_engine_of_another_version_is_not_benched_and_is_cleaned(bundle: Path, cache: Path) -> None:
    loaded = load_bundle(bundle)
    publish(cache, make_key(loaded, version="0.0.1"))
    publish(cache, make_key(loaded, precision="fp32"))
    done = engines("bench", "--seconds", "0.01", "--batches", "1", "--threads", "1", "--json", bundle)
    assert len(json.loads(done.stdout)) == 1
    assert "1 removed, 1 kept" in engines("clean").stdout
    assert [engine.record.key.precision for engine in built(cache)] == ["fp32"]


def test_clean_takes_all_of_a_bundle_or_of_everything(bundle: Path, cache: Path, tmp_path: Path) -> None:
    other = write_conv_bundle(tmp_path / "other")
    rewrite(other / "manifest.json", version="2")
    for folder in (bundle, other):
        publish(cache, make_key(load_bundle(folder)))
    assert "1 removed, 1 kept" in engines("clean", other).stdout
    assert "1 removed, 0 kept" in engines("clean", "--all").stdout


def test_bench_measures_side_by_side_and_draws(bundle: Path, cache: Path, tmp_path: Path) -> None:
    publish(cache, make_key(load_bundle(bundle), precision="fp32"))
    plot = tmp_path / "times.svg"
    done = engines("bench", "--seconds", "0.01", "--batches", "1,2", "--threads", "1", "--plot", plot, bundle)
    assert done.returncode == 0, done.stderr
    assert "p95 ms" in done.stdout
    assert plot.read_text().startswith("<svg")
    (engine,) = built(cache)
    assert engine.bench is not None and engine.bench.cold is not None
    assert engine.bench.cold.memory_mib > 0


def test_verify_refuses_by_its_exit_code(bundle: Path, cache: Path) -> None:
    publish(cache, make_key(load_bundle(bundle), precision="fp32"))
    assert engines("verify", bundle).returncode == 0
    (engine,) = built(cache)
    assert engine.verify is not None and engine.verify.steps > 100


def test_inspect_shows_the_model_and_the_cache(bundle: Path, cache: Path) -> None:
    assert "No engine of this bundle" in engines("inspect", bundle).stdout
    publish(cache, make_key(load_bundle(bundle)))
    facts = json.loads(engines("inspect", "--json", bundle).stdout)
    assert facts["graphs"][0]["operators"]["Conv"] == 2
    assert len(facts["engines"]) == 1


def test_a_graph_beside_the_stream_is_shown_and_left_as_it_is(bundle: Path, cache: Path) -> None:
    add_attention_graph(bundle)
    shown = engines("inspect", bundle).stdout
    assert "attention_map: crops uint8 (N, 32, 32, 3) → attention float32 (N, 32, 32); beside the stream" in shown
    assert "head attention: map, 1 output from the frame; beside the stream" in shown
    done = engines("build", "--backend", "onnxruntime", "--precision", "fp32", bundle)
    assert done.returncode == 0, done.stderr
    assert "attention_map: beside the stream; it is left as it is" in done.stderr
    assert set(built(cache)[0].record.layers) == {"frame_encoder", "clip_encoder", "context_head"}


def test_a_bundle_that_cannot_be_streamed_is_named_with_what_it_lacks(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest["graphs"].pop("frame_encoder"))
    for verb in ("inspect", "build"):
        done = engines(verb, bundle)
        assert done.returncode == 2
        expected = (
            "graphs.frame_encoder is missing, without which nothing can be streamed (found: clip_encoder, context_head)"
        )
        assert expected in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "no/such/bundle"], "no such folder"),
        (["build", "--backend", "tensorrt"], "pip install 'streamaffect[tensorrt]'"),
        (["build", "--backend", "tensorrt_rtx"], "pip install 'streamaffect[tensorrt-rtx]'"),
        (["build", "--backend", "onnxruntime", "--precision", "bf16"], "cannot be built here"),
        (["build", "--calibration", "no/such/folder"], "no video or picture"),
        (["bench"], "no engine of"),
        (["build", "--max-batch", "0"], "not between"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], message: str) -> None:
    if {"tensorrt", "tensorrt_rtx"} & set(words) and backend_version(words[-1]):
        pytest.skip(f"{words[-1]} is installed here")
    done = engines(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["build", "--help"], ["bench", "--help"]])
def test_help_loads_no_heavy_library(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from engines.cli import main\n"
        "try:\n"
        f"    main({words})\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "print('loaded:', *(name for name in ('numpy', 'onnx', 'onnxruntime', 'openvino', 'cv2', 'rich') "
        "if name in sys.modules))"
    )
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines()[-1] == "loaded:"
