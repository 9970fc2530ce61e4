"""Every mistake a user can make at the start: one clear line on standard error, nothing half-written.

The exit code is 2 for what no restart cures, and 1 for what may be otherwise a moment later.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamaffect.cli import main
from tests.support.bundles import edit_manifest, write_bundle
from tests.support.recordings import estimate_at, record

DEMO = Path(__file__).parents[3] / "streamaffect" / "assets" / "demo.mp4"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def taken_address() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def _video(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


Case = tuple[Callable[[Path], list[str]], str]
CASES: dict[str, Case] = {
    "no source": (lambda _: [], "no source: give --source"),
    "a missing file": (lambda folder: ["--source", str(folder / "nope.mp4")], "nope.mp4: no such file"),
    "a folder": (lambda folder: ["--source", str(folder)], "is a folder; expected a video file"),
    "a text file": (
        lambda folder: ["--source", _video(folder, "t.mp4", b"hello\n")],
        "t.mp4: is a text file; expected a video",
    ),
    "an empty file": (lambda folder: ["--source", _video(folder, "e.mp4", b"")], "e.mp4: is empty (0 bytes)"),
    "a file that is cut off": (
        lambda folder: ["--source", _video(folder, "c.mp4", DEMO.read_bytes()[:30000])],
        "c.mp4: an MP4 without its index",
    ),
    "a camera that is no number": (lambda _: ["--source", "webcam:left"], "expected a number as in webcam:1"),
    "a scheme that is not allowed": (lambda _: ["--source", "ftp://host/a"], "ftp:// is not allowed as a source"),
    "a missing bundle": (lambda folder: ["--source", "demo", "--bundle", str(folder / "b")], "b: no such folder"),
    "a missing recording": (
        lambda folder: ["--source", f"replay:{folder / 'nope.jsonl'}"],
        "nope.jsonl: cannot be read",
    ),
    "an unknown section": (lambda _: ["--source", "demo", "--set", "face.tiles=2"], "did you mean faces?"),
    "an unknown key": (lambda _: ["--source", "demo", "--set", "faces.tile=2"], "did you mean faces.tiles?"),
    "a value out of range": (
        lambda _: ["--source", "demo", "--set", "faces.min_score=2"],
        "faces.min_score = 2: expected `float` <= 1.0",
    ),
    "clips on a GPU without TensorRT": (
        lambda _: ["--source", str(DEMO), "--set", "engine.device_clips=true"],
        "engine.device_clips = true needs a TensorRT engine, and onnxruntime CPU fp32 was taken",
    ),
    "clips on a GPU with a backend that has none": (
        lambda _: ["--source", str(DEMO), "--set", "engine.device_clips=true", "--engine", "onnxruntime"],
        "engine.device_clips = true: onnxruntime keeps no features in a GPU's memory",
    ),
    "a setting without a value": (lambda _: ["--source", "demo", "--set", "faces"], "expected section.key=value"),
    "a missing configuration": (lambda _: ["--config", "nope.toml"], "nope.toml: cannot be read"),
    "an open address": (lambda _: ["--source", "demo", "--bind", "tcp://0.0.0.0:0"], "reached from other machines"),
    "a malformed address": (lambda _: ["--source", "demo", "--bind", "5556"], "expected tcp://HOST:PORT"),
    "a recording in no folder": (
        lambda folder: ["--source", str(DEMO), "--record", str(folder / "no" / "run.jsonl")],
        "create it first",
    ),
    "a recording that exists": (
        lambda folder: ["--source", str(DEMO), "--record", _video(folder, "run.jsonl", b"mine")],
        "run.jsonl",
    ),
}
MAY_PASS = ("no such camera", "a refused host")


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_ends_with_one_clear_line_and_an_exit_code_that_says_whether_to_try_again(
    case: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_arguments, expected = CASES[case]
    arguments = make_arguments(tmp_path)
    if "--bundle" not in arguments:
        arguments += ["--bundle", str(bundle)]
    if "--bind" not in arguments:
        arguments += ["--bind", "tcp://127.0.0.1:0"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert main(["run", *arguments]) == (1 if case in MAY_PASS else 2)

    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"streamaffect: [^\n]+\n", err)
    assert expected in err
    assert "secret" not in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_taken_port_is_named_with_a_way_out(
    bundle: Path, taken_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "run.jsonl"
    arguments = ["--source", str(DEMO), "--bundle", str(bundle), "--bind", taken_address, "--record", str(recording)]
    assert main(["run", *arguments]) == 1  # it may be free when a supervisor tries again
    err = capsys.readouterr().err
    assert taken_address in err
    assert "--bind" in err
    assert not recording.exists()


def test_an_altered_bundle_is_refused_before_anything_starts(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_manifest(bundle, lambda manifest: manifest.update(schema=2))
    assert main(["run", "--source", "demo", "--bundle", str(bundle), "--bind", "tcp://127.0.0.1:0"]) == 2
    assert "schema is 2, this version reads 1" in capsys.readouterr().err


def test_an_engine_that_is_not_here_is_refused_and_not_replaced(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--source", str(DEMO), "--bundle", str(bundle), "--bind", "tcp://127.0.0.1:0"]
    assert main(["run", *arguments, "--engine", "tensorrt"]) == 2
    assert "tensorrt" in capsys.readouterr().err


TOO_LONG = "x" * 300
ODD = [
    *(f"run --config {odd}" for odd in (TOO_LONG, "loop", "plain/below", "/dev/zero", ".")),
    *(f"run --source demo --bundle {odd}" for odd in (TOO_LONG, "loop", "plain", "/dev/zero", "pipe", "bundle", ".")),
    *(f"replay {odd}" for odd in (TOO_LONG, "loop", "plain", "/dev/zero", "pipe", ".")),
    *(f"export {odd} out.csv" for odd in (TOO_LONG, "loop", "plain", "/dev/zero", "pipe", ".")),
    *(f"export a.jsonl {odd}" for odd in (f"{TOO_LONG}.csv", "plain/below.csv", "nowhere/a.csv", ".", "a.jsonl")),
    *(f"keys {odd}" for odd in (TOO_LONG, "loop", "plain")),
    *(f"listen tcp://127.0.0.1:9 --keys {odd}" for odd in (TOO_LONG, "loop", "plain", ".")),
    *(f"bench --max-streams 0 --video {odd}" for odd in (TOO_LONG, "loop", "plain", "/dev/zero", "pipe", ".")),
]


@pytest.mark.parametrize("words", ODD)
def test_odd_things_in_the_place_of_files_are_one_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("plain").write_text("")
    os.mkfifo("pipe")
    record(Path("a.jsonl"), [estimate_at(0.0)])
    manifest = write_bundle(tmp_path / "bundle") / "manifest.json"
    manifest.unlink()
    os.mkfifo(manifest)
    bind = ["--bind", "tcp://127.0.0.1:0"] if words.startswith(("run", "replay")) else []
    assert main([*words.split(), *bind]) == 2
    assert capsys.readouterr().err.count("\n") == 1
