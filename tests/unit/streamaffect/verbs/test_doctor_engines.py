"""What doctor says about backends: each that is missing is explained, with the command that changes it."""

from pathlib import Path

import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.verbs import doctor_engines
from streamaffect.verbs.findings import Finding
from tests.support.gpu.engine_entries import make_key, publish, ready


def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor_engines.engine_findings()}


@pytest.fixture
def no_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_engines, "backend_version", lambda backend: None)
    monkeypatch.setattr("streamaffect.runtime.tensorrt.backend_version", lambda backend: None)


@pytest.mark.usefixtures("no_backends")
def test_without_an_nvidia_gpu_tensorrt_for_rtx_asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor_engines, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    finding = findings()["TensorRT for RTX"]
    assert (finding.state, finding.remedy) == ("absent", "")
    assert "no NVIDIA GPU" in finding.detail


@pytest.mark.usefixtures("no_backends")
def test_with_a_gpu_a_missing_tensorrt_for_rtx_says_for_which_cards_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(doctor_engines, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    finding = findings()["TensorRT for RTX"]
    assert finding.state == "absent"
    assert "8.6, 8.9, and 12.0 or later" in finding.detail
    assert finding.remedy == "pip install 'streamaffect[tensorrt-rtx]'"


@pytest.mark.parametrize("reason", ["no NVIDIA driver here (libcuda.so.1 is not found)", "NVIDIA H200 (9.0) is not"])
def test_an_installed_tensorrt_for_rtx_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    def refuse() -> str:
        raise EngineError(reason)

    monkeypatch.setattr(doctor_engines, "backend_version", {"tensorrt_rtx": "0.5.0"}.get)
    monkeypatch.setattr("streamaffect.runtime.tensorrt_rtx.plugin.probe", refuse)
    finding = findings()["TensorRT for RTX"]
    assert (finding.state, finding.detail) == ("absent", reason)


def test_a_tensorrt_for_rtx_that_runs_names_the_card_and_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_engines, "backend_version", {"tensorrt_rtx": "0.5.0"}.get)
    monkeypatch.setattr("streamaffect.runtime.tensorrt_rtx.plugin.probe", lambda: "NVIDIA GeForce RTX 4090 (8.9)")
    finding = findings()["TensorRT for RTX"]
    assert finding.state == "ok"
    assert finding.detail.startswith("plugin 0.5.0 on NVIDIA GeForce RTX 4090 (8.9); `")
    assert "engines build --backend tensorrt_rtx" in finding.detail


@pytest.mark.usefixtures("no_backends")
def test_a_missing_openvino_names_both_commands() -> None:
    finding = findings()["OpenVINO"]
    assert finding.state == "absent"
    assert "pip install 'streamaffect[openvino]'" in finding.remedy
    assert "engines build --backend openvino" in finding.remedy


@pytest.mark.usefixtures("no_backends")
def test_without_an_nvidia_gpu_tensorrt_asks_for_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor_engines, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    finding = findings()["TensorRT"]
    assert (finding.state, finding.remedy) == ("absent", "")
    assert "no NVIDIA GPU" in finding.detail


@pytest.mark.usefixtures("no_backends")
def test_with_a_gpu_a_missing_tensorrt_names_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(doctor_engines, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    finding = findings()["TensorRT"]
    assert finding.state == "absent"
    assert "pip install 'streamaffect[tensorrt]'" in finding.detail


def test_without_a_gpu_onnxruntime_on_a_gpu_asks_for_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor_engines, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    finding = findings()["ONNX Runtime GPU"]
    assert (finding.state, finding.remedy) == ("absent", "")
    assert "no NVIDIA GPU" in finding.detail


def test_with_a_gpu_an_onnxruntime_without_cuda_names_the_other_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(doctor_engines, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    finding = findings()["ONNX Runtime GPU"]
    assert finding.state == "absent"
    assert "made without CUDA" in finding.detail
    assert "pip install onnxruntime-gpu" in finding.remedy


def test_an_onnxruntime_with_cuda_names_the_build_that_compares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.runtime.onnxruntime.has_cuda_provider", lambda: True)
    finding = findings()["ONNX Runtime GPU"]
    assert finding.state == "ok"
    assert "engines build --backend onnxruntime" in finding.detail


def test_without_compiled_engines_doctor_names_the_build() -> None:
    finding = findings()["engines"]
    assert finding.state == "absent"
    assert "engines build" in finding.remedy


def test_a_verified_engine_is_named(private_engine_cache: Path) -> None:
    ready(private_engine_cache, make_key(load_bundle(), precision="int8"), speedup=2.0)
    finding = findings()["engines"]
    assert (finding.state, finding.detail) == ("ok", "onnxruntime CPU int8: verified")


def test_an_engine_of_another_version_is_explained(private_engine_cache: Path) -> None:
    publish(private_engine_cache, make_key(load_bundle(), version="0.0.1"))
    finding = findings()["engines"]
    assert finding.state == "absent"
    assert "built with onnxruntime 0.0.1" in finding.detail


def test_an_engine_that_others_can_reach_is_reported(private_engine_cache: Path) -> None:
    publish(private_engine_cache, make_key(load_bundle())).folder.chmod(0o755)
    finding = findings()["engines"]
    assert "1 unusable" in finding.detail
    assert "engines clean" in finding.remedy
