"""The OpenVINO backend: the fastest on Intel CPUs, in bf16 where the processor multiplies bf16 matrices."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import EngineInfo
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER
from streamaffect.runtime.onnxruntime import ContextHeads, open_session
from streamaffect.runtime.warm_up import first_line, warm_up
from streamaffect.types import BoolArray, FloatArray, ImageArray

INSTALL = "pip install 'streamaffect[openvino]'"
REPORTER = "openvino_telemetry"


class OpenVinoEngine:
    """The two encoders as compiled OpenVINO models on the CPU.

    precision: "fp32"; "bf16" for the two encoders, refused where the processor has no bf16; or "int8", which needs
               compiled `graphs` by role, and computes the rest of the encoders in bf16 where the processor has it

    The heads run in ONNX Runtime fp32: a call of a graph so small costs half as much there, and whatever error they had
    would be published as it is.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        reason: str = "requested",
        threads: int = 1,
        precision: Precision = "fp32",
        graphs: Mapping[str, bytes] | None = None,
    ) -> None:
        openvino = import_openvino()
        if precision == "bf16" and not has_bf16():
            raise EngineError("this processor has no bf16; use --engine auto, or OpenVINO in fp32 or int8")
        self._info = EngineInfo("openvino", "CPU", precision, reason)
        core = openvino.Core()
        compiled = graphs or {}
        floats = "bf16" if precision == "bf16" or (precision == "int8" and has_bf16()) else "f32"

        def load(role: str, output: str) -> _Graph:
            path = bundle.graph_path(role)
            data = compiled.get(role) or path.read_bytes()
            settings = {
                "INFERENCE_PRECISION_HINT": floats,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
            }
            try:
                model = core.compile_model(core.read_model(data), "CPU", settings)
            except Exception as error:
                raise EngineError(f"{path}: OpenVINO cannot compile it ({first_line(error)})") from error
            return _Graph(model, output)

        self._frame_encoder = load(FRAME_ENCODER, "features")
        self._clip_encoder = load(CLIP_ENCODER, "clip")
        self._heads = ContextHeads(bundle, open_session(bundle, CONTEXT_HEAD, compiled, "CPU", threads))
        warm_up(self, bundle)

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        return self._info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        """crops (N, S, S, 3) uint8 RGB → features (N, D) float32."""
        return self._frame_encoder(crops)

    def encode_clips(self, features: FloatArray) -> FloatArray:
        """features (N, T, D) float32, oldest first → clip vectors (N, C) float32."""
        return self._clip_encoder(features)

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, C), context (N, K, C), valid (N, K) → one (N, L) float32 array per head."""
        return self._heads.run(clip, context, valid)

    def layers(self) -> dict[str, list[tuple[str, str]]]:
        """Of each encoder as it was compiled, by role: OpenVINO's name of every layer, and of the type it runs in."""
        return {FRAME_ENCODER: self._frame_encoder.layers(), CLIP_ENCODER: self._clip_encoder.layers()}

    def close(self) -> None:
        """Models are freed with the object; nothing is held outside the process."""


class _Graph:
    """One compiled encoder with its own request. The input is read where it lies, the output is copied out."""

    def __init__(self, model: Any, output: str) -> None:
        self._model = model
        self._input = model.input(0)
        self._output = model.output(output)
        self._request = model.create_infer_request()

    def __call__(self, rows: np.ndarray) -> FloatArray:
        bound = {self._input: np.ascontiguousarray(rows)}
        results = self._request.infer(bound, share_inputs=True, share_outputs=True)
        return np.array(results[self._output])

    def layers(self) -> list[tuple[str, str]]:
        facts = (layer.get_rt_info() for layer in self._model.get_runtime_model().get_ops())
        return [(fact["layerType"].astype(str), fact["runtimePrecision"].astype(str)) for fact in facts]


def import_openvino() -> ModuleType:
    """OpenVINO without its usage reports; raises EngineError where it is not installed.

    From 2026 on, `import openvino` alone reports to its maker, without asking, where the reporting package is present.
    """
    try:
        with _without_reporter():
            openvino = importlib.import_module("openvino")
    except ImportError as error:
        raise EngineError(f"OpenVINO cannot be loaded ({first_line(error)}); {INSTALL}") from error
    return openvino


def has_bf16() -> bool:
    """Whether OpenVINO can compute in bf16 on this processor."""
    capabilities: list[str] = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


@contextmanager
def _without_reporter() -> Iterator[None]:
    """While this lasts the reporting package cannot be imported; OpenVINO then takes its own silent stand-in."""
    if REPORTER in sys.modules:
        yield
        return
    sys.modules[REPORTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[REPORTER]
