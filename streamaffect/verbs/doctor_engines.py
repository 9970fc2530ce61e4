"""What doctor says about inference backends: which are there, why others are not, and which engine `auto` takes."""

from collections.abc import Iterator
from pathlib import Path

from streamaffect.errors import EngineError, StreamAffectError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import build_command, objection
from streamaffect.runtime.engine_cache import list_engines
from streamaffect.runtime.machine import backend_version, extra_of
from streamaffect.runtime.variants.files import precisions_of, read_graphs
from streamaffect.runtime.variants.offer import kept_sentences
from streamaffect.verbs.findings import Finding

NVIDIA_DEVICE = Path("/dev/nvidia0")


def engine_findings() -> Iterator[Finding]:
    """One finding per optional backend, one for the bundle's own variants, one for the engines that were compiled."""
    yield _openvino()
    yield _onnxruntime_cuda()
    yield _tensorrt()
    yield _tensorrt_rtx()
    yield _variants()
    yield _compiled_engines()


def _openvino() -> Finding:
    version = backend_version("openvino")
    if version is None:
        remedy = f"pip install 'streamaffect[openvino]', then `{build_command('openvino')}`"
        return Finding("OpenVINO", "absent", "not installed; it is faster where the processor has bf16 or int8", remedy)
    from streamaffect.runtime.openvino import has_bf16

    try:
        bf16 = "in bf16 too" if has_bf16() else "without bf16, which this processor lacks"
    except EngineError as error:
        return Finding("OpenVINO", "absent", str(error), "pip install --force-reinstall openvino")
    return Finding("OpenVINO", "ok", f"openvino {version}, {bf16}")


def _onnxruntime_cuda() -> Finding:
    from streamaffect.runtime.onnxruntime import has_cuda_provider

    name, version = "ONNX Runtime GPU", backend_version("onnxruntime")
    if has_cuda_provider():
        return Finding(name, "ok", f"onnxruntime {version} has CUDA; `{build_command('onnxruntime')}` compares it")
    if not NVIDIA_DEVICE.exists():
        return Finding(name, "absent", f"no NVIDIA GPU here ({NVIDIA_DEVICE} does not exist); the CPU runs it")
    remedy = "pip uninstall onnxruntime && pip install onnxruntime-gpu"
    return Finding(name, "absent", f"onnxruntime {version} is made without CUDA; the CPU runs it", remedy)


def _tensorrt() -> Finding:
    if not NVIDIA_DEVICE.exists() and backend_version("tensorrt") is None:
        return Finding("TensorRT", "absent", f"no NVIDIA GPU here ({NVIDIA_DEVICE} does not exist), and not installed")
    from streamaffect.runtime.tensorrt import probe

    try:
        gpu = probe()
    except EngineError as error:
        return Finding("TensorRT", "absent", str(error), "the command in the message, then look again")
    return Finding("TensorRT", "ok", f"tensorrt {backend_version('tensorrt')} on {gpu}")


def _tensorrt_rtx() -> Finding:
    name, version = "TensorRT for RTX", backend_version("tensorrt_rtx")
    if not NVIDIA_DEVICE.exists() and version is None:
        return Finding(name, "absent", f"no NVIDIA GPU here ({NVIDIA_DEVICE} does not exist), and not installed")
    from streamaffect.runtime.tensorrt_rtx.plugin import CARDS, probe

    if version is None:
        detail = f"not installed; it is for GeForce and RTX cards, compute capability {CARDS}"
        return Finding(name, "absent", detail, f"pip install 'streamaffect[{extra_of('tensorrt_rtx')}]'")
    try:
        gpu = probe()
    except EngineError as error:
        return Finding(name, "absent", str(error), "what the message says, then look again")
    return Finding(name, "ok", f"plugin {version} on {gpu}; `{build_command('tensorrt_rtx')}` compares it")


def _variants() -> Finding:
    """What the trial on this machine has found of the shipped bundle's graphs in other precisions."""
    name = "variants"
    try:
        bundle = load_bundle()
        found = {precision: read_graphs(bundle, precision) for precision in precisions_of(bundle)}
        sentences = kept_sentences(bundle)
    except StreamAffectError as error:
        return Finding(name, "absent", str(error), "what the message says; until then ONNX Runtime fp32 runs")
    if not found:
        return Finding(name, "absent", f"{bundle.manifest.label} has none; ONNX Runtime fp32 runs")
    if not sentences:
        detail = f"{', '.join(found)} of {bundle.manifest.label} not tried on this machine yet"
        return Finding(name, "absent", detail, "the next run with `--engine auto` does it, in a second")
    return Finding(name, "ok", "; ".join(sentences))


def _compiled_engines() -> Finding:
    """Those of the shipped bundle: usable ones, and why others are not."""
    name = "engines"
    try:
        bundle = load_bundle()
    except StreamAffectError as error:
        return Finding(name, "absent", str(error))
    engines, broken = list_engines()
    ours = [engine for engine in engines if engine.record.key.bundle_sha256 == bundle.sha256]
    if broken:
        clean = build_command().replace("build", "clean")
        return Finding(name, "absent", f"{len(broken)} unusable: {broken[0].reason}", f"`{clean}`, then build again")
    if not ours:
        detail = f"none is compiled for {bundle.manifest.label} on this machine; it runs by its own graphs"
        return Finding(name, "absent", detail, f"`{build_command()}` makes, verifies and measures them")
    facts = [f"{engine.record.key.title}: {objection(engine) or 'verified'}" for engine in ours]
    usable = any(objection(engine) is None for engine in ours)
    remedy = "" if usable else f"`{build_command()}` builds them again"
    return Finding(name, "ok" if usable else "absent", "; ".join(facts), remedy)
