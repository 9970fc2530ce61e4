"""The ONNX Runtime backend: every bundle runs on it, on any CPU; the others are measured against it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import EngineInfo
from streamaffect.runtime.engine_record import Precision, Provider
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER
from streamaffect.runtime.warm_up import first_line, warm_up
from streamaffect.types import BoolArray, FloatArray, ImageArray

if TYPE_CHECKING:
    import onnxruntime

_PROVIDERS: dict[Provider, str] = {"CPU": "CPUExecutionProvider", "CUDA": "CUDAExecutionProvider"}


class GraphSession(Protocol):
    """A graph that is loaded, as ONNX Runtime has it."""

    def run(self, names: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[Any]:
        """The outputs of these names, in their order."""
        ...


class SessionEngine:
    """The three graphs of a bundle as sessions, which each backend opens in its own way.

    open_graph: opens the session of a role
    max_batch:  what a session takes at once, in rows; more are run in parts. None: any number
    """

    def __init__(
        self,
        bundle: Bundle,
        info: EngineInfo,
        open_graph: Callable[[str], GraphSession],
        *,
        max_batch: int | None = None,
    ) -> None:
        self._info = info
        self._max_batch = max_batch
        self._frame_encoder = open_graph(FRAME_ENCODER)
        self._clip_encoder = open_graph(CLIP_ENCODER)
        self._heads = ContextHeads(bundle, open_graph(CONTEXT_HEAD), max_batch=max_batch)
        warm_up(self, bundle)

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        return self._info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        """crops (N, S, S, 3) uint8 RGB → features (N, D) float32."""
        return run_in_parts(self._frame_encoder, ["features"], {"crops": crops}, self._max_batch)[0]

    def encode_clips(self, features: FloatArray) -> FloatArray:
        """features (N, T, D) float32, oldest first → clip vectors (N, C) float32."""
        return run_in_parts(self._clip_encoder, ["clip"], {"features": features}, self._max_batch)[0]

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, C), context (N, K, C), valid (N, K) → one (N, L) float32 array per head."""
        return self._heads.run(clip, context, valid)

    def close(self) -> None:
        """Sessions are freed with the object; nothing is held outside the process."""


class OnnxRuntimeEngine(SessionEngine):
    """The three graphs on ONNX Runtime's own providers, one thread each.

    precision: of the graphs, for the record; graphs: compiled ones by role, which replace the bundle's own
    provider:  "CUDA" runs on the first GPU, and is refused where onnxruntime-gpu can't

    More threads gain nothing at these sizes, and a spinning thread pool on a shared machine can make a call fifty
    times longer: `session.intra_op.allow_spinning` is off.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        reason: str = "requested",
        threads: int = 1,
        precision: Precision = "fp32",
        provider: Provider = "CPU",
        graphs: Mapping[str, bytes] | None = None,
    ) -> None:
        info = EngineInfo("onnxruntime", provider, precision, reason)
        given: dict[str, list[str]] = {}

        def open_graph(role: str) -> GraphSession:
            session = open_session(bundle, role, graphs or {}, provider, threads)
            given[role] = [output.name for output in session.get_outputs()]
            opened: GraphSession = session
            return opened

        super().__init__(bundle, info, open_graph)
        self._gives_map = "map" in given[FRAME_ENCODER]

    @property
    def gives_map(self) -> bool:
        """Whether the frame encoder has the output `map`; a compiled one may lack it."""
        return self._gives_map

    def encode_frames_and_map(self, crops: ImageArray) -> tuple[FloatArray, FloatArray]:
        """crops (N, S, S, 3) uint8 RGB → features (N, D), the same bits as without it, and maps (N, C, H, W)."""
        features, maps = run_in_parts(self._frame_encoder, ["features", "map"], {"crops": crops}, self._max_batch)
        return features, maps


class ContextHeads:
    """The graph of the context heads; OpenVINO's engine runs it here too."""

    def __init__(self, bundle: Bundle, session: GraphSession, *, max_batch: int | None = None) -> None:
        self._session = session
        self._max_batch = max_batch
        self._names = [head.name for head in bundle.manifest.heads if head.input == "context"]

    def run(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, C), context (N, K, C), valid (N, K) → one (N, L) float32 array per head."""
        inputs = {"clip": clip, "context": context, "valid": valid}
        outputs = run_in_parts(self._session, self._names, inputs, self._max_batch)
        return dict(zip(self._names, outputs, strict=True))


def run_in_parts(
    session: GraphSession, names: Sequence[str], inputs: Mapping[str, np.ndarray], most: int | None
) -> list[FloatArray]:
    """The outputs for all rows, by as many calls as a session needs that takes no more than `most` at once."""
    rows = len(next(iter(inputs.values())))
    if most is None or rows <= most:
        return session.run(names, inputs)
    parts = [
        session.run(names, {name: array[start : start + most] for name, array in inputs.items()})
        for start in range(0, rows, most)
    ]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def has_cuda_provider() -> bool:
    """Whether the installed ONNX Runtime was made with CUDA; it may still fail to start."""
    import onnxruntime

    return _PROVIDERS["CUDA"] in onnxruntime.get_available_providers()


def open_session(
    bundle: Bundle, role: str, graphs: Mapping[str, bytes], provider: Provider, threads: int
) -> "onnxruntime.InferenceSession":
    """A role's graph, from `graphs` if it is there, else the bundle's. Raises EngineError."""
    import onnxruntime

    options = session_options(threads)
    wanted = _PROVIDERS[provider]
    path = bundle.graph_path(role)
    if wanted not in onnxruntime.get_available_providers():
        raise EngineError(f"this onnxruntime has no {wanted}; pip install onnxruntime-gpu in place of onnxruntime")
    try:
        session = onnxruntime.InferenceSession(graphs.get(role, str(path)), options, providers=[wanted])
    except Exception as error:
        raise EngineError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot load it ({first_line(error)})"
        ) from error
    if session.get_providers()[0] != wanted:
        raise EngineError(f"{path}: {wanted} did not start, see the log above; check the NVIDIA driver and CUDA")
    return session


def session_options(threads: int) -> "onnxruntime.SessionOptions":
    """Few threads that don't spin, and a log of nothing but errors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
