"""NVIDIA's real plugin for TensorRT for RTX on a machine without a GPU: without a driver, and beside one in name only.

What was compiled cannot be loaded here: that takes a card.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import onnx
import pytest

from engines.rtx_build import JOB_FILE, PROVIDER, Job, context_graph, prepare_graphs
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.machine import backend_version
from streamaffect.runtime.manifest import ROLES
from streamaffect.runtime.onnx_file import read_signature
from streamaffect.runtime.tensorrt import used_outputs
from streamaffect.runtime.tensorrt_rtx.engine import shape_options
from streamaffect.runtime.tensorrt_rtx.plugin import MODULE, PACKAGE, probe
from tests.support.gpu.plan_builder import noise_clips
from tests.support.gpu.pretended_driver import PretendedDriver
from tests.support.no_network import can_forbid_network

ROOT = Path(__file__).parents[3]
ASK = "from streamaffect.runtime.tensorrt_rtx.plugin import rtx_devices; print(*rtx_devices()[0].ep_metadata.values())"

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        backend_version("tensorrt_rtx") is None, reason=f"{PACKAGE} is not installed (the extra tensorrt-rtx)"
    ),
]


def python(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
    )


@pytest.fixture
def no_driver() -> None:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("there is a driver here")


@pytest.mark.usefixtures("no_driver")
def test_without_a_driver_it_says_so_and_the_process_lives() -> None:
    with pytest.raises(EngineError, match=r"^no NVIDIA driver here \(libcuda.so.1 is not found\); install one"):
        probe()


@pytest.mark.usefixtures("no_driver")
def test_the_packages_own_cuda_runtime_is_found() -> None:
    """It looks for it by a name that no file of the package has; where CUDA is not installed, there is no other."""
    code = (
        f"try:\n    {ASK.replace('; ', chr(10) + '    ')}\n"
        "except Exception as error:\n    print(error)\n"
        "print([line.split()[-1] for line in open('/proc/self/maps') if 'libcudart' in line][0])"
    )
    said, library = python("-c", code).stdout.splitlines()
    assert said.startswith("no NVIDIA driver here (libcuda.so.1")
    assert MODULE in library


@pytest.mark.usefixtures("no_driver")
def test_doctor_names_the_driver_as_what_is_missing() -> None:
    done = python("-m", "streamaffect", "doctor", COLUMNS="300")
    assert "TensorRT for RTX" in done.stdout, done.stderr
    assert "no NVIDIA driver here (libcuda.so.1 is not found)" in done.stdout


@pytest.mark.parametrize(
    ("capability", "architecture"), [("8.6", "sm86"), ("8.9", "sm89"), ("12.0", "sm120"), ("7.5", ""), ("9.0", "")]
)
def test_the_plugin_takes_the_cards_that_we_say_it_takes(tmp_path: Path, capability: str, architecture: str) -> None:
    driver = PretendedDriver(tmp_path, capability)
    done = driver.run([sys.executable, "-c", ASK], PYTHONPATH=str(ROOT))
    if architecture:
        assert done.returncode == 0, done.stderr
        assert architecture in done.stdout
    else:
        assert done.stderr.splitlines()[-1].startswith("streamaffect.errors.EngineError: no usable NVIDIA GPU")


def test_half_a_library_is_one_line(tmp_path: Path) -> None:
    """A copy of the installed package whose parser is cut short."""
    files = importlib.metadata.files(PACKAGE) or []
    for file in files:
        source, target = Path(str(file.locate())), tmp_path / str(file)
        if "__pycache__" in str(file):
            continue
        target.parent.mkdir(exist_ok=True)
        if file.suffix == ".py" or ".dist-info" in str(file):
            shutil.copy(source, target)
        else:
            target.symlink_to(source)
    (parser,) = (tmp_path / MODULE).glob("libtensorrt_onnxparser_rtx.so.*")
    content = parser.read_bytes()
    parser.unlink()
    parser.write_bytes(content[:100_000])
    code = "from streamaffect.runtime.tensorrt_rtx.plugin import probe; probe()"
    done = python("-c", code, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"{parser}: has 100000 of {len(content)} bytes; pip install --force-reinstall {PACKAGE}" in last


def compiled(
    folder: Path, bundle: Bundle, precision: Precision, *, options: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """The job of `engines build` done by the plugin beside a pretended RTX 4090; its contexts are in `folder/work`."""
    work, clips = folder / "work", noise_clips(bundle)
    work.mkdir()
    prepare_graphs(bundle, precision, clips, work)
    more = {"nv_target_sm": "sm89"} | (options or {})
    outputs = {role: sorted(used_outputs(bundle, role)) for role in ROLES}
    job = Job(8, outputs, {role: shape_options(bundle, role, 8) | more for role in ROLES})
    (work / JOB_FILE).write_bytes(msgspec.json.encode(job))
    driver = PretendedDriver(folder, "8.9")
    command = [sys.executable, "-m", "engines.rtx_build", str(work)]
    return driver.run(command, PYTHONPATH=str(ROOT), NVIDIA_TF32_OVERRIDE="0")


def attributes(context: onnx.ModelProto) -> dict[str, object]:
    (node,) = context.graph.node
    return {value.name: onnx.helper.get_attribute_value(value) for value in node.attribute}


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_plugin_compiles_every_graph_whole_and_as_we_write_contexts_ourselves(
    tmp_path: Path, precision: Precision
) -> None:
    bundle = load_bundle()
    done = compiled(tmp_path, bundle, precision)
    assert done.returncode == 0, done.stderr
    for role in ROLES:
        file = tmp_path / "work" / f"{role}.onnx"
        assert read_signature(file).external_data is None
        context = onnx.load(file)
        found = attributes(context)
        plan = found["ep_cache_context"]
        assert isinstance(plan, bytes)
        spec = bundle.manifest.graphs[role]
        ours = onnx.load_from_string(context_graph(role, spec, used_outputs(bundle, role), plan))
        assert attributes(ours) | {"partition_name": b""} == found | {"partition_name": b""}
        assert context.graph.node[0].op_type == ours.graph.node[0].op_type == "EPContext"
        assert list(context.graph.input) == list(ours.graph.input)
        assert list(context.graph.output) == list(ours.graph.output)
        assert next(iter(ours.metadata_props)) in list(context.metadata_props)
        assert found["source"] == PROVIDER.encode()
        assert set(re.findall(rb"\n  tf32=(\d)", plan)) == {b"0"}, "fp32 is not fp32"


def test_a_graph_that_it_does_not_take_whole_is_one_line(tmp_path: Path) -> None:
    """Else the rest would run on the processor, and nobody would know."""
    bundle, work = load_bundle(), tmp_path / "work"
    work.mkdir()
    prepare_graphs(bundle, "fp32", noise_clips(bundle), work)
    model = onnx.load(work / "clip_encoder.graph")
    (output,) = model.graph.output
    model.graph.node.append(onnx.helper.make_node("Unique", [output.name], ["once"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("once", onnx.TensorProto.FLOAT, ["M"]))
    onnx.save(model, work / "clip_encoder.graph")
    options = shape_options(bundle, "clip_encoder", 8) | {"nv_target_sm": "sm89"}
    (work / JOB_FILE).write_text(json.dumps({"max_batch": 8, "outputs": {"clip_encoder": ["clip"]},
                                             "options": {"clip_encoder": options}}))  # fmt: skip
    done = PretendedDriver(tmp_path, "8.9").run(
        [sys.executable, "-m", "engines.rtx_build", str(work)], PYTHONPATH=str(ROOT)
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("clip_encoder: TensorRT for RTX cannot take the graph: ")


def test_an_option_that_it_does_not_know_is_refused(tmp_path: Path) -> None:
    """So each of ours is known to it."""
    done = compiled(tmp_path, load_bundle(), "fp32", options={"nv_profile_least_shapes": "crops:1x64x64x3"})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        'frame_encoder: TensorRT for RTX cannot take the graph: Unknown provider option: "nv_profile_least_shapes".'
    )


@pytest.mark.skipif(not can_forbid_network(), reason="only Linux can forbid a process to open sockets")
def test_the_plugin_reports_nothing_to_anybody(tmp_path: Path) -> None:
    bundle, work, home = load_bundle(), tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    prepare_graphs(bundle, "fp16", noise_clips(bundle), work)
    outputs = {role: sorted(used_outputs(bundle, role)) for role in ROLES}
    options = {role: shape_options(bundle, role, 8) | {"nv_target_sm": "sm89"} for role in ROLES}
    (work / JOB_FILE).write_bytes(msgspec.json.encode(Job(8, outputs, options)))
    code = (
        "import sys; from tests.support.no_network import forbid_network; forbid_network(); "
        f"from engines.rtx_build import main; sys.exit(main([{str(work)!r}]))"
    )
    silent = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    done = PretendedDriver(tmp_path, "8.9").run([sys.executable, "-c", code], **silent)
    assert done.returncode == 0, done.stderr
    assert (work / "context_head.onnx").exists()
    assert list(home.rglob("*")) == []
