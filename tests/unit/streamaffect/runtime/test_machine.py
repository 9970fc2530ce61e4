"""Which version of a backend is installed, and what its extra is called."""

import importlib.machinery
import importlib.metadata
import importlib.util
import sys

import pytest

from streamaffect.runtime.machine import backend_version, extra_of

INSTALLED = {"tensorrt-cu13-bindings": "11.4.0.106", "onnxruntime-ep-nv-tensorrt-rtx-cu13": "0.5.0"}


@pytest.fixture(autouse=True)
def build_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the bindings and TensorRT for RTX are installed, as the extra tensorrt-build does."""

    def version(name: str) -> str:
        if name not in INSTALLED:
            raise importlib.metadata.PackageNotFoundError(name)
        return INSTALLED[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)


def test_bindings_alone_are_no_tensorrt() -> None:
    assert backend_version("tensorrt") is None
    assert backend_version("tensorrt_rtx") == "0.5.0"
    assert backend_version("onnxruntime") is None


def test_bindings_with_libraries_from_elsewhere_are_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.machinery.ModuleSpec("tensorrt", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "tensorrt" else None)
    assert backend_version("tensorrt") == "11.4.0.106"


def test_extras_are_written_with_a_hyphen() -> None:
    assert (extra_of("tensorrt_rtx"), extra_of("openvino")) == ("tensorrt-rtx", "openvino")
