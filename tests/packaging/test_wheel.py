"""The wheel: what is in it, and that it works outside a checkout."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from streamaffect import Subscriber, __version__
from tests.support.no_network import can_forbid_network

ROOT = Path(__file__).parents[2]
PACKAGE = Path("streamaffect")
FOLDERS = {"streamaffect": PACKAGE, "engines": PACKAGE / "engines", "train": PACKAGE / "train"}
BUILD_NEEDS = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", *FOLDERS, "configs")
NOT_SOURCES = shutil.ignore_patterns("__pycache__", "*.egg-info")
MAX_WHEEL_MB = 20.0
WAIT_S = 20.0

# Runs the installed command line where the kernel ends the process at its first try to connect to anything.
GUARDED = """
import runpy, sys
runpy.run_path(sys.argv[1])["forbid_connecting"]()
if sys.argv[2] == "probe":
    import socket
    socket.create_connection(("127.0.0.1", 9))
from streamaffect.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that nothing of an earlier build can get in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in BUILD_NEEDS:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=NOT_SOURCES)
        else:
            shutil.copy(path, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment: the wheel is installed there, its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(paths["purelib"], "dependencies.pth").write_text("\n".join(sorted(dependencies)))
    pip("--python", str(programs / "python"), "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    return programs


def pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def outside(tmp_path: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty folder, without a terminal and without what could lead back to the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in command],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def guarded(installed: Path, *words: str) -> list[str]:
    helper = ROOT / "tests" / "support" / "no_network.py"
    return [str(installed / "python"), "-I", "-c", GUARDED, str(helper), *words]


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def test_the_only_top_level_name_is_streamaffect(contents: set[str]) -> None:
    top_level = {name.partition("/")[0] for name in contents}
    assert top_level == {"streamaffect", f"streamaffect-{__version__}.dist-info"}


def test_every_folder_with_modules_is_declared_as_a_package() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = set(tomllib.load(file)["tool"]["setuptools"]["packages"])
    present = {
        ".".join((place / module.parent.relative_to(ROOT / folder)).parts)
        for folder, place in FOLDERS.items()
        for module in (ROOT / folder).rglob("*.py")
    }
    assert present <= declared, f"add to [tool.setuptools] packages: {sorted(present - declared)}"


@pytest.mark.parametrize(("folder", "place"), FOLDERS.items())
def test_every_module_is_in_the_wheel(contents: set[str], folder: str, place: Path) -> None:
    sources = {(place / file.relative_to(ROOT / folder)).as_posix() for file in (ROOT / folder).rglob("*.py")}
    assert sources
    assert sources <= contents


def test_the_shipped_model_the_demo_clip_and_the_weights_are_in_the_wheel(contents: set[str]) -> None:
    bundle = {"manifest.json", "frame_encoder.onnx", "clip_encoder.onnx", "context_head.onnx", "MODEL_CARD.md"}
    assets = {"demo.mp4", "face_detection_short_range.tflite", "silero_vad_16k_sequence.onnx", "THIRD_PARTY.md"}
    assert {f"streamaffect/engines/default/{name}" for name in bundle} <= contents
    assert {f"streamaffect/assets/{name}" for name in assets} <= contents
    lenses = {file.relative_to(ROOT).as_posix() for file in (ROOT / "engines" / "lenses").glob("*/*")}
    assert lenses
    assert {f"streamaffect/{name}" for name in lenses} <= contents
    assert {f"streamaffect/engines/voice/{name}" for name in ("voice.json", "voice.onnx", "MODEL_CARD.md")} <= contents
    assert {
        f"streamaffect/engines/fusion/{name}" for name in ("fusion.json", "fusion.onnx", "MODEL_CARD.md")
    } <= contents


def test_the_page_and_the_licence_of_what_draws_on_it_are_in_the_wheel(contents: set[str]) -> None:
    static = ROOT / "streamaffect" / "sinks" / "web" / "static"
    files = {file.relative_to(ROOT).as_posix() for file in static.rglob("*") if file.is_file()}
    assert "streamaffect/sinks/web/static/vendor/uPlot.LICENSE" in files
    assert files <= contents


def test_every_preset_is_in_the_wheel(contents: set[str]) -> None:
    presets = {f"streamaffect/{file.relative_to(ROOT).as_posix()}" for file in (ROOT / "configs").rglob("*.toml")}
    assert presets
    assert presets <= contents


def test_the_wheel_says_that_it_is_typed_and_carries_its_licences(contents: set[str]) -> None:
    licences = {name.rpartition("/")[2] for name in contents if "/licenses/" in name}
    assert "streamaffect/py.typed" in contents
    assert licences == {"LICENSE", "NOTICE", "THIRD_PARTY.md"}


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size / 1e6 <= MAX_WHEEL_MB


def test_the_installed_command_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    where = outside(tmp_path, installed / "python", "-c", "import streamaffect; print(streamaffect.__file__)")
    version = outside(tmp_path, installed / "streamaffect", "--version")
    assert where.stdout.startswith(str(installed.parent))
    assert version.stdout == f"streamaffect {__version__}\n"


def test_training_and_engines_are_importable_under_the_packages_name(installed: Path, tmp_path: Path) -> None:
    code = "import streamaffect.engines, streamaffect.train.losses, streamaffect.train.models.relational"
    done = outside(tmp_path, installed / "python", "-c", code)
    assert done.returncode == 0, done.stderr


def test_the_doctor_finds_nothing_broken_in_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    done = outside(tmp_path, installed / "streamaffect", "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert {"face detector", "model"} <= set(findings)
    # Another stream may be using the default address of the feed on this machine.
    broken = [finding for name, finding in findings.items() if finding["state"] == "broken" and name != "feed"]
    assert broken == []


@pytest.mark.skipif(not can_forbid_network(), reason="only Linux can forbid system calls")
def test_the_demo_runs_where_every_connection_is_forbidden_and_others_can_listen(
    installed: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a run that was killed has left its control socket, the next one at that port asks it whether it lives.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    probe = outside(tmp_path, *guarded(installed, "probe"))
    if "refuses the filter" in probe.stderr:
        pytest.skip("this kernel does not filter system calls")
    assert probe.returncode == -signal.SIGSYS, "the guard lets connections through"

    address = free_address()
    with Subscriber(address, timeout_s=WAIT_S) as feed:
        words = ("run", "--source", "demo", "--max-seconds", "3", "--bind", address, "--log-level", "info")
        done = outside(tmp_path, *guarded(installed, *words))
        assert done.returncode == 0, done.stderr
        assert next(iter(feed)).stream == "demo"
    assert list(tmp_path.iterdir()) == []
