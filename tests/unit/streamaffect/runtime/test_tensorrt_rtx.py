"""TensorRT for RTX as far as it goes without a card: what the plugin is told, batches in parts, and each refusal.

The sessions are ONNX Runtime's own on the CPU. tests/integration/engines asks the real plugin.
"""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import ROLES
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine, session_options
from streamaffect.runtime.tensorrt_rtx import engine as rtx_engine
from streamaffect.runtime.tensorrt_rtx import plugin
from streamaffect.runtime.tensorrt_rtx.engine import TensorRtRtxEngine, shape_options
from tests.support.bundles import SIZE, write_bundle

NOT_FOUND = (
    "[ONNXRuntimeError] : 1 : FAIL : Failed to load library /x.so with error: {}: cannot open shared object file"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """What the plugin is told for each session, which the CPU then runs."""
    told: list[Mapping[str, str]] = []

    def options(devices: list[Any], settings: Mapping[str, str]) -> Any:
        told.append(settings)
        return session_options(threads=1)

    monkeypatch.setattr(rtx_engine, "device_name", lambda: "NVIDIA Fake (8.9)")
    monkeypatch.setattr(rtx_engine, "rtx_devices", lambda: ["the card"])
    monkeypatch.setattr(rtx_engine, "rtx_session_options", options)
    return told


def open_engine(bundle: Bundle, *, max_batch: int = 4, **more: Any) -> TensorRtRtxEngine:
    graphs = {role: bundle.graph_path(role).read_bytes() for role in ROLES}
    return TensorRtRtxEngine(
        bundle, **{"reason": "test", "precision": "fp16", "graphs": graphs} | more, max_batch=max_batch
    )


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 19])
@pytest.mark.usefixtures("told")
def test_more_rows_than_a_session_takes_are_run_in_parts(
    bundle: Bundle, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, reference = open_engine(bundle), OnnxRuntimeEngine(bundle)
    seen: list[int] = []
    run = onnxruntime.InferenceSession.run

    def counted(self: Any, names: Any, inputs: Mapping[str, np.ndarray]) -> Any:
        seen.extend(len(array) for array in inputs.values())
        return run(self, names, inputs)

    rng = np.random.default_rng(rows)
    crops = rng.integers(0, 256, (rows, SIZE, SIZE, 3), np.uint8)
    features = rng.random((rows, bundle.manifest.clip.frames, bundle.feature_dim), np.float32)
    context = rng.random((rows, bundle.manifest.context.clips, bundle.clip_dim), np.float32)
    valid = np.ones(context.shape[:2], np.bool_)
    expected = reference.run_heads(context[:, 0], context, valid)
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", counted)
    assert np.allclose(engine.encode_frames(crops), reference.encode_frames(crops), atol=1e-6)
    assert np.allclose(engine.encode_clips(features), reference.encode_clips(features), atol=1e-6)
    seen.clear()
    found = engine.run_heads(context[:, 0], context, valid)
    assert set(found) == set(expected)
    assert all(np.allclose(found[name], expected[name], atol=1e-6) for name in expected)
    assert max(seen) <= 4
    assert sum(seen) == 3 * rows


def test_the_plugin_is_told_the_batches_and_to_keep_its_memory(bundle: Bundle, told: list[Mapping[str, str]]) -> None:
    open_engine(bundle, max_batch=7)
    assert told[0] == {
        "nv_profile_min_shapes": f"crops:1x{SIZE}x{SIZE}x3",
        "nv_profile_opt_shapes": f"crops:4x{SIZE}x{SIZE}x3",
        "nv_profile_max_shapes": f"crops:7x{SIZE}x{SIZE}x3",
        "nv_persistent_context_memory": "1",
    }
    assert len(told) == 3
    clips = bundle.manifest.context.clips
    expected = f"clip:7x{bundle.clip_dim},context:7x{clips}x{bundle.clip_dim},valid:7x{clips}"
    assert shape_options(bundle, "context_head", 7)["nv_profile_max_shapes"] == expected


def test_what_the_plugin_makes_of_a_plan_is_kept_in_a_private_folder(
    bundle: Bundle, told: list[Mapping[str, str]], tmp_path: Path
) -> None:
    open_engine(bundle, runtime_cache=tmp_path / "runtime-1")
    assert {options["nv_runtime_cache_path"] for options in told} == {str(tmp_path / "runtime-1")}
    assert (tmp_path / "runtime-1").stat().st_mode & 0o777 == 0o700


def test_where_nothing_can_be_written_nothing_is_kept(
    bundle: Bundle, told: list[Mapping[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    open_engine(bundle, runtime_cache=tmp_path / "file" / "runtime-1")
    assert all("nv_runtime_cache_path" not in options for options in told)


@pytest.mark.usefixtures("told")
def test_a_context_that_does_not_load_is_one_line_and_nothing_else_runs_it(
    bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    graphs = {role: bundle.graph_path(role).read_bytes()[:100] for role in ROLES}
    with pytest.raises(EngineError, match=r"^frame_encoder: TensorRT for RTX cannot load it \(.+\); build it again$"):
        open_engine(bundle, graphs=graphs)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("told")
def test_a_call_that_fails_is_one_line(bundle: Bundle) -> None:
    engine = open_engine(bundle)
    with pytest.raises(EngineError, match=r"^frame_encoder: TensorRT for RTX cannot run it \(.+\)$"):
        engine.encode_frames(np.zeros((1, SIZE, SIZE + 1, 3), np.uint8))


def test_it_says_what_it_is(bundle: Bundle, told: list[Mapping[str, str]]) -> None:
    info = open_engine(bundle).info
    assert (str(info), info.reason) == ("tensorrt_rtx CUDA fp16", "test")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An installed package whose library is never registered for real."""
    module = types.SimpleNamespace(get_ep_name=lambda: "NvTensorRTRTX", get_library_path=lambda: "x.so")
    monkeypatch.setattr(plugin, "_import_plugin", lambda: (module, tmp_path))
    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", lambda name, path: None)
    plugin._registered.cache_clear()
    yield
    plugin._registered.cache_clear()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (NOT_FOUND.format("libcuda.so.1"), r"^no NVIDIA driver here \(libcuda.so.1 is not found\); install one"),
        (NOT_FOUND.format("libnvidia-ml.so.1"), r"^half of NVIDIA's driver .*NVIDIA_DRIVER_CAPABILITIES"),
        (
            NOT_FOUND.format("libtensorrt_rtx.so.1"),
            r"does not find libtensorrt_rtx.so.1; pip install --force-reinstall",
        ),
        (
            "[ONNXRuntimeError] : 11 : EP_FAIL : CUDA failure 35: too old ; GPU=0 ; file=/build/x.cc ; line=76",
            r"cannot be registered \(CUDA failure 35: too old\); pip",
        ),
    ],
    ids=["no driver", "half a driver", "half a package", "anything else"],
)
@pytest.mark.usefixtures("package")
def test_each_way_in_which_registering_fails_has_its_own_line(
    message: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, path: str) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", refuse)
    with pytest.raises(EngineError, match=expected):
        plugin.rtx_devices()


@pytest.mark.usefixtures("package")
def test_a_card_that_the_plugin_does_not_take_is_named_with_those_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_ep_devices", list)
    monkeypatch.setattr(plugin, "device_name", lambda: "NVIDIA H200 (9.0)")
    with pytest.raises(
        EngineError, match=r"^NVIDIA H200 \(9.0\) is not a card .* capability 8.6, 8.9, and 12.0 or later;"
    ):
        plugin.rtx_devices()


@pytest.mark.usefixtures("package")
def test_the_first_card_is_taken_and_registering_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", lambda name, path: registered.append(name))
    names = ["CPUExecutionProvider", "NvTensorRTRTX", "NvTensorRTRTX"]
    cards = [types.SimpleNamespace(ep_name=name, place=place) for place, name in enumerate(names)]
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: cards)
    for _ in range(2):
        assert [card.place for card in plugin.rtx_devices()] == [1]
    assert registered == ["NvTensorRTRTX"]


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "backend_version", lambda backend: None)
    for ask in (plugin.probe, plugin._import_plugin):
        with pytest.raises(EngineError, match=r"not installed; pip install 'streamaffect\[tensorrt-rtx\]'$"):
            ask()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ends its process with signal 11; pip install"),
        ("import sys; sys.exit('the reason')", "^the reason$"),
        ("import os; os._exit(3)", "^it ended with status 3$"),
        ("pass", "^it ended with status 0$"),
    ],
)
def test_a_probe_that_fails_in_any_way_is_one_line(code: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "backend_version", lambda backend: "0.5.0")
    monkeypatch.setattr(plugin, "_PROBE", code)
    with pytest.raises(EngineError, match=expected):
        plugin.probe()
