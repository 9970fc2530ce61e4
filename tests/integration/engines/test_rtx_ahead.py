"""Engines for cards that are elsewhere, built by the real library of TensorRT for RTX on this machine's processor."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

from engines import rtx_bindings, rtx_build
from engines.rtx_bindings import bindings_folder
from engines.rtx_build import Job, _run, parse_targets
from engines.store import UNFINISHED
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine_cache import CachedEngine, list_engines
from streamaffect.runtime.machine import backend_version
from tests.support.conv_bundles import write_conv_bundle
from tests.support.gpu.engine_entries import rewrite
from tests.support.gpu.real_tensorrt import builder_environment
from tests.support.no_network import can_forbid_network

ROOT = Path(__file__).parents[3]
AHEAD = ["build", "--backend", "tensorrt_rtx", "--target", "8.6,8.9,12.0"]
# The word of a plan that says what it is for, by compute capability, as the plugin writes it for one card each.
FOR_WORD, FOR_BITS = 32, {"8.6": 4, "8.9": 8, "12.0": 16, "12.1": 32}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    builder_environment()
    return write_conv_bundle(tmp_path / "bundle")


def engines(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engines", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | environment)


def plan_of(engine: CachedEngine, role: str) -> bytes:
    (node,) = onnx.load_from_string(engine.read_graphs()[role]).graph.node
    plan = next(value.s for value in node.attribute if value.name == "ep_cache_context")
    assert isinstance(plan, bytes)
    return plan


def test_engines_for_a_fleet_are_built_without_a_gpu(bundle: Path, tmp_path: Path) -> None:
    done = engines(*AHEAD, "--out", tmp_path / "plans", bundle)
    assert done.returncode == 0, done.stderr
    assert "Built ahead of time, not run" in done.stdout
    built, broken = list_engines(tmp_path / "plans")
    assert broken == []
    assert {engine.record.key.precision for engine in built} == {"fp32", "fp16", "int8"}
    for engine in built:
        key = engine.record.key
        assert (key.targets, key.device) == (("8.6", "8.9", "12.0"), "compute capability 8.6, 8.9, 12.0")
        assert (key.backend_version, key.max_batch) == (backend_version("tensorrt_rtx"), 8)
        assert (engine.verify, engine.bench) == (None, None)
        assert {file.name for file in engine.folder.iterdir()} == {
            "engine.json", "frame_encoder.onnx", "clip_encoder.onnx", "context_head.onnx",
        }  # fmt: skip
        for role in engine.record.graphs:
            assert all(plan_of(engine, role)[FOR_WORD] & FOR_BITS[target] for target in FOR_BITS)


def test_they_are_kept_here_and_taken_nowhere_before_they_were_verified(
    bundle: Path, private_engine_cache: Path
) -> None:
    done = engines(*AHEAD, "--precision", "fp16", "--json", bundle)
    assert json.loads(done.stdout)[0]["record"]["key"]["flags"] == {"targets": "8.6,8.9,12.0"}
    (engine,) = list_engines(private_engine_cache)[0]
    info = open_engine(load_bundle(bundle)).info
    assert str(info) == "onnxruntime CPU fp32"
    assert "tensorrt_rtx CUDA fp16 for 8.6, 8.9, 12.0: not verified" in info.reason
    with pytest.raises(EngineError, match="no verified tensorrt_rtx engine"):
        open_engine(load_bundle(bundle), "tensorrt_rtx")
    assert "0 removed, 1 kept" in engines("clean").stdout
    assert "tensorrt_rtx CUDA fp16 for 8.6, 8.9, 12.0" in engines("inspect", bundle, COLUMNS="200").stdout
    done = engines("verify", bundle)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    rewrite(engine.folder / "engine.json", schema=99)
    assert "1 removed, 0 kept" in engines("clean").stdout


def test_a_second_build_finds_the_first(bundle: Path) -> None:
    words = [*AHEAD, "--precision", "fp32", bundle]
    assert "compile" in engines(*words).stderr
    assert "compile" not in engines(*words).stderr
    other = engines(*words[:3], "--target", "12.1", "--precision", "fp32", bundle)
    assert "compile" in other.stderr


def test_a_build_that_is_stopped_leaves_nothing(bundle: Path, private_engine_cache: Path) -> None:
    command = [sys.executable, "-m", "engines", *AHEAD, "--precision", "int8", str(bundle)]
    build = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(private_engine_cache.glob(f".*{UNFINISHED}/*.graph")):
        assert build.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    build.send_signal(signal.SIGTERM)
    _, errors = build.communicate(timeout=60)
    assert build.returncode == 130
    assert "nothing unfinished is left" in errors
    assert [entry.name for entry in private_engine_cache.iterdir() if entry.name.endswith(UNFINISHED)] == []
    assert list_engines(private_engine_cache) == ([], [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "7.5"], "--target 7.5: TensorRT for RTX runs on compute capability 8.6, 8.9, 12.0, 12.1"),
        (["--target", "8.9,9.9"], "--target 9.9: "),
        (["--target", "junk"], "--target junk: "),
        (["--target", ""], "--target '': "),
        (["--target", "8.9", "--precision", "bf16"], "bf16 cannot be built with tensorrt_rtx"),
        (["--out", "plans"], "--out is for engines that are built with --target"),
        (["--target", "8.9", "--backend", "openvino"], "--backend tensorrt_rtx alone"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], message: str) -> None:
    backend = [] if "--backend" in words or "--out" in words else ["--backend", "tensorrt_rtx"]
    done = engines("build", *backend, *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


def test_targets_are_taken_once_and_in_order() -> None:
    assert parse_targets("12.0, 8.6,8.6") == ("8.6", "12.0")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "TensorRT for RTX ended its process with SIGSEGV"),
        ("import os; os._exit(9)", "TensorRT for RTX ended with status 9"),
        ("import sys; sys.exit('clip_encoder: no')", "clip_encoder: no"),
    ],
    ids=["crash", "silent end", "refusal"],
)
def test_native_code_that_fails_does_not_end_the_tool(
    code: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "broken"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "rtx_build.py").write_text(code)
    monkeypatch.setattr(rtx_build, "__package__", "broken")
    with pytest.raises(EngineError, match=f"^{expected}$"):
        _run(Job(4, {}), tmp_path, os.environ | {"PYTHONPATH": str(tmp_path / "site")})


@pytest.mark.skipif(not can_forbid_network(), reason="only Linux can forbid a process to open sockets")
def test_the_library_reports_nothing_to_anybody(tmp_path: Path) -> None:
    environment, home = builder_environment(), tmp_path / "home"
    home.mkdir()
    code = (
        "from tests.support.no_network import forbid_network; forbid_network(); "
        "import tensorrt; builder = tensorrt.Builder(tensorrt.Logger(tensorrt.Logger.ERROR)); "
        "network = builder.create_network(); x = network.add_input('x', tensorrt.float32, (4,)); "
        "network.mark_output(network.add_activation(x, tensorrt.ActivationType.RELU).get_output(0)); "
        "print(builder.build_serialized_network(network, builder.create_builder_config()).nbytes > 0)"
    )
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
    assert list(home.rglob("*")) == []


def test_the_bindings_folder_is_private_and_made_once(private_engine_cache: Path) -> None:
    builder_environment()
    folder = bindings_folder(private_engine_cache)
    assert folder.stat().st_mode & 0o777 == 0o700
    made = folder.stat().st_mtime_ns
    assert bindings_folder(private_engine_cache) == folder
    assert folder.stat().st_mtime_ns == made
    assert list(private_engine_cache.glob(f".*{UNFINISHED}")) == []
    folder.chmod(0o777)
    with pytest.raises(EngineError, match="others can write to it"):
        bindings_folder(private_engine_cache)


def test_two_that_make_the_folder_at_once_use_the_same_one(
    private_engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder_environment()
    folder = bindings_folder(private_engine_cache)
    rename = rtx_bindings._rename_symbol
    other = private_engine_cache / "other"

    def late(extension: Path) -> None:
        rename(extension)
        monkeypatch.setattr(rtx_bindings, "_rename_symbol", rename)
        bindings_folder(other)  # the quicker one, in the middle of ours

    monkeypatch.setattr(rtx_bindings, "_rename_symbol", late)
    assert bindings_folder(other).name == folder.name
    assert [entry.name for entry in other.iterdir()] == [folder.name]


def test_a_cache_that_cannot_be_written_is_one_line() -> None:
    builder_environment()
    with pytest.raises(EngineError, match=r"cannot be written \(.+\); set STREAMAFFECT_CACHE$"):
        bindings_folder(Path("/proc/engines"))


@pytest.mark.parametrize("package", ["tensorrt-cu13-bindings", "onnxruntime-ep-nv-tensorrt-rtx-cu13"])
def test_a_missing_package_names_the_extra(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtx_bindings, "distribution_version", lambda name: None if name == package else "1")
    monkeypatch.setattr(rtx_bindings, "BINDINGS", package)
    with pytest.raises(EngineError, match=rf"^{package} is not installed, .*'streamaffect\[tensorrt-build\]'$"):
        bindings_folder(tmp_path)
