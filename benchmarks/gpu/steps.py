"""The steps of the measurement on a GPU; each takes the folder of the pack and gives plain values."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.prepare import PRECISIONS, read_clips
from benchmarks.gpu.roofline import Ceiling, ceiling_of, share_of_roofline, work_of
from engines.crops import ClipSet
from engines.tensorrt_build import _build, _graph
from engines.verify import compare
from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.cuda import CudaStream, DeviceBuffer, PinnedArray, device_name
from streamaffect.runtime.device_clips import DeviceClips
from streamaffect.runtime.device_rows import DeviceRows
from streamaffect.runtime.manifest import ROLES
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.tensorrt import TensorRtEngine, import_tensorrt, used_outputs
from streamaffect.runtime.tensorrt_log import make_logger

BATCHES = (1, 8, 64, 256)
SECONDS = 1.0  # of timing for each batch size
FPS = 25.0
PACKAGES = ("torch", "onnxruntime", "tensorrt-cu13-bindings", "onnxruntime-ep-nv-tensorrt-rtx-cu13", "cuda-bindings")


def machine(_: Path) -> dict[str, object]:
    """The card as the driver names it, and what is installed."""
    asked = "name,driver_version,memory.total,compute_cap,clocks.max.sm"
    command = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        gpu = told.stdout.strip() or told.stderr.strip()
    except FileNotFoundError:
        gpu = "no nvidia-smi here"
    return {"gpu": gpu, "versions": {name: _version(name) for name in PACKAGES}}


def ahead(pack: Path) -> dict[str, str]:
    """Of each plan that was built without a GPU: taken, or why not."""
    device_name()
    trt = import_tensorrt()
    logger = make_logger(trt)
    runtime = trt.Runtime(logger)
    found = {}
    for file in sorted(pack.glob("*.plan")):
        engine = runtime.deserialize_cuda_engine(file.read_bytes())
        found[file.stem] = "taken" if engine is not None else f"refused: {logger.last_error}"
    return found


def build(pack: Path) -> dict[str, object]:
    """Of every precision: seconds to build, deviation from ONNX Runtime fp32, and times of each graph."""
    bundle, clips = load_bundle(), read_clips(pack / "clips.npz")
    ceiling = ceiling_of(device_name())
    reference = OnnxRuntimeEngine(bundle)
    results: dict[str, object] = {}
    for precision in PRECISIONS:
        try:
            started_s = time.perf_counter()
            engine = _engine(bundle, clips, precision)
            built_s = time.perf_counter() - started_s
            with closing(engine):
                comparison = compare(bundle, reference, engine, clips.held_out, origin=clips.origin)
                results[precision] = {
                    "build_s": round(built_s, 2),
                    "graphs_max": {role: float(deviation.max) for role, deviation in comparison.graphs.items()},
                    "ccc_change": {f"{one.head}.{one.output}": one.ccc_change for one in comparison.outputs},
                    "failures": comparison.failures,
                    **_times(bundle, engine, precision, ceiling),
                }
        except EngineError as error:
            results[precision] = {"error": str(error)}
    return results


def chain(pack: Path) -> dict[str, object]:
    """The device-side clips over real crops: largest deviation of a head from ONNX Runtime fp32, and milliseconds."""
    bundle, clips = load_bundle(), read_clips(pack / "clips.npz")
    on_device = DeviceClips(_engine(bundle, clips, "fp16"), bundle)
    results: dict[str, object] = {}
    with closing(on_device):
        crops = clips.held_out[0].crops
        device, host = Estimator(bundle, on_device), Estimator(bundle, OnnxRuntimeEngine(bundle))
        worst = 0.0
        for frame, crop in enumerate(crops[:60]):
            seen = [Observation(("s", track), frame * 0.08, crop) for track in range(3)]
            pairs = zip(device.step(seen).predictions, host.step(seen).predictions, strict=True)
            worst = max(worst, *(_largest(found.heads, expected.heads) for found, expected in pairs))
        results["max_deviation_fp16"] = worst
        for faces in (1, 8, 64):
            fresh = Estimator(bundle, on_device)
            times = []
            for frame in range(200):
                seen = [Observation(("t", track), frame * 0.04, crops[frame % len(crops)]) for track in range(faces)]
                started_s = time.perf_counter()
                fresh.step(seen)
                times.append(time.perf_counter() - started_s)
            results[f"step_ms_{faces}_faces"] = _percentiles_ms(times[50:])
    return results


def memory(_: Path) -> dict[str, object]:
    """Our own use of CUDA: rows that are kept, gathered and grown, and a recorded upload with its download."""
    device_name()
    rng, width = np.random.default_rng(0), 160
    stream = CudaStream()
    source, host = DeviceBuffer(4 * width * 64), PinnedArray((64, width), np.dtype(np.float32))
    rows = DeviceRows(width, stream, rows=8)  # grows twice and more
    written: dict[int, np.ndarray] = {}
    for _round in range(20):
        values = rng.standard_normal((12, width)).astype(np.float32)
        host.array[:12] = values
        stream.upload(int(source.address), int(host.address), values.nbytes)
        kept = rows.keep(int(source.address), 12)
        stream.wait()
        written |= dict(zip(kept.ravel().tolist(), values, strict=True))
        gone = rng.choice(list(written), 5, replace=False)
        rows.free(gone[:, None])
        for row in gone.tolist():
            del written[row]
    asked = rng.choice(list(written), 64)
    rows.gather(int(source.address), asked[:, None])
    stream.download(int(host.address), int(source.address), host.array.nbytes)
    stream.wait()
    worst = float(np.abs(host.array - np.stack([written[row] for row in asked.tolist()])).max())
    return {"rows_in_use": rows.used, "largest_difference": worst, "recorded_copies": _recorded_copies(stream)}


def _recorded_copies(stream: CudaStream) -> dict[str, object]:
    """Milliseconds of an upload of crops and a download of features as one CUDA graph: the floor of a call."""
    results: dict[str, object] = {}
    for faces in BATCHES:
        crops, features = PinnedArray((faces, 64, 64, 3), np.dtype(np.uint8)), PinnedArray((faces, 160), np.dtype("f4"))
        taken, given = DeviceBuffer(crops.array.nbytes), DeviceBuffer(features.array.nbytes)
        with stream.recording() as recorded:
            stream.upload(int(taken.address), int(crops.address), crops.array.nbytes)
            stream.download(int(features.address), int(given.address), features.array.nbytes)

        def call(work: Any = recorded[0]) -> None:
            work.launch(stream)
            stream.wait()

        results[f"batch_{faces}"] = _percentiles_ms(_time(call))
    return results


def plugin(_: Path) -> dict[str, object]:
    """What ONNX Runtime's plugin says of this card."""
    import onnxruntime

    rtx = import_module("onnxruntime_ep_nv_tensorrt_rtx")

    onnxruntime.register_execution_provider_library(rtx.get_ep_name(), rtx.get_library_path())
    devices = [one for one in onnxruntime.get_ep_devices() if one.ep_name == rtx.get_ep_name()]
    results: dict[str, object] = {"devices": [str(one.device.metadata) for one in devices]}
    if devices:
        bundle = load_bundle()
        options = onnxruntime.SessionOptions()
        options.add_provider_for_devices(devices[:1], {})
        session = onnxruntime.InferenceSession(bundle.graph_path("frame_encoder"), options)
        crops = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
        found = session.run(["features"], {"crops": crops})[0]
        results["max_deviation"] = float(np.abs(found - OnnxRuntimeEngine(bundle).encode_frames(crops)).max())
    return results


def torch_encoder(pack: Path) -> dict[str, object]:
    """The shipped weights in torch on the GPU: fp32 parity, then fp16 in a CUDA graph per batch size."""
    import torch

    from train.methods.relational.from_bundle import load_exported_encoder
    from train.models.frame_encoder import LUMINANCE, FrameEncoder, grey

    bundle, clips = load_bundle(), read_clips(pack / "clips.npz")
    crops = torch.from_numpy(np.concatenate([clip.crops for clip in clips.held_out])[:512])
    encoder = FrameEncoder(bundle.feature_dim, widths=(32, 64, 128, 192), depths=(1, 3, 4, 1))
    load_exported_encoder(bundle.path, encoder, grey(crops[:256]).round().to(torch.uint8))
    expected = OnnxRuntimeEngine(bundle).encode_frames(crops[:64].numpy())
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    encoder = encoder.eval().cuda()
    results: dict[str, object] = {}
    ceiling, work = ceiling_of(device_name()), work_of(bundle, "frame_encoder")
    with torch.inference_mode():
        found = encoder(crops[:64].cuda()).cpu().numpy()
        results["fp32_max_deviation"] = float(np.abs(found - expected).max())
        # A constant on the GPU in place of one that is copied there in every call, which no CUDA graph can hold.
        row = torch.tensor(LUMINANCE, device="cuda").view(1, 3)
        encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def half(crops: torch.Tensor) -> torch.Tensor:
            grey_levels = (row @ crops.float().flatten(1, 2).transpose(1, 2)).view(crops.shape[:3])
            found: torch.Tensor = encoder.encode_grey(grey_levels)
            return found

        with torch.autocast("cuda", torch.float16):
            results["fp16_max_deviation"] = float(
                np.abs(half(crops[:64].cuda()).float().cpu().numpy() - expected).max()
            )
            for rows in BATCHES:
                call = _captured(half, crops[torch.arange(rows) % len(crops)].cuda())
                times = _time(call)
                results[f"batch_{rows}"] = _row(times, rows, share_of_roofline(work, rows, times, "fp16", ceiling))
    return results


def _captured(module: Any, crops: Any) -> Callable[[], None]:
    """The module on these crops as a CUDA graph, waited for."""
    import torch

    for _ in range(3):
        module(crops)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        module(crops)

    def call() -> None:
        graph.replay()
        torch.cuda.synchronize()

    return call


def _engine(bundle: Bundle, clips: ClipSet, precision: Any) -> TensorRtEngine:
    trt = import_tensorrt()
    plans = {}
    with tempfile.TemporaryDirectory() as folder:
        for role in ROLES:
            graph = _graph(bundle, role, precision, clips, Path(folder))
            outputs = used_outputs(bundle, role)
            plans[role] = _build(trt, graph, max(BATCHES), Path(folder) / "timings", outputs=outputs)
    return TensorRtEngine(bundle, reason="measured", precision=precision, max_batch=max(BATCHES), plans=plans)


def _times(bundle: Bundle, engine: TensorRtEngine, precision: str, ceiling: Ceiling | None) -> dict[str, object]:
    """Milliseconds, faces a second and share of the roofline of each graph, and the streams that all three carry."""
    manifest = bundle.manifest
    rng = np.random.default_rng(0)
    results: dict[str, Any] = {}
    whole_s: dict[int, float] = {}
    for rows in BATCHES:
        crops = rng.integers(0, 256, (rows, manifest.crop.size, manifest.crop.size, 3), np.uint8)
        features = rng.standard_normal((rows, manifest.clip.frames, bundle.feature_dim), np.float32)
        context = rng.standard_normal((rows, manifest.context.clips, bundle.clip_dim), np.float32)
        valid = np.ones((rows, manifest.context.clips), np.bool_)
        calls: dict[str, Callable[[], object]] = {
            "frame_encoder": lambda crops=crops: engine.encode_frames(crops),  # type: ignore[misc]
            "clip_encoder": lambda features=features: engine.encode_clips(features),  # type: ignore[misc]
            "context_head": lambda context=context, valid=valid: engine.run_heads(  # type: ignore[misc]
                np.ascontiguousarray(context[:, -1]), context, valid
            ),
        }
        for role, call in calls.items():
            times = _time(call)
            share = share_of_roofline(work_of(bundle, role), rows, times, precision, ceiling)
            results.setdefault(role, {})[f"batch_{rows}"] = _row(times, rows, share)
            whole_s[rows] = whole_s.get(rows, 0.0) + float(np.median(times))
    best = min(whole / rows for rows, whole in whole_s.items())
    return {"graphs": results, "streams_of_25_fps": int(1 / (best * FPS))}


def _time(call: Callable[[], object]) -> list[float]:
    """Seconds of each call, after a warm-up."""
    for _ in range(5):
        call()
    times: list[float] = []
    until_s = time.perf_counter() + SECONDS
    while time.perf_counter() < until_s:
        started_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - started_s)
    return times


def _row(times: list[float], rows: int, share: float | None) -> dict[str, object]:
    row: dict[str, object] = {**_percentiles_ms(times), "faces_per_s": round(rows / float(np.median(times)))}
    if share is not None:
        row["roofline"] = round(share, 3)
    return row


def _percentiles_ms(times: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(times, (50, 99)) * 1e3
    return {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}


def _largest(found: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    return max((float(np.abs(found[name] - values).max()) for name, values in expected.items()), default=0.0)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
