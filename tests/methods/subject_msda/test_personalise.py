"""A recording of one person and the shipped bundle give a personal bundle that the stream runs."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.cli import main as engines_main
from streamaffect import Bundle, analyze, load_bundle
from streamaffect.messages import NOTICE
from streamaffect.runtime.bundle import default_bundle_path
from streamaffect.runtime.manifest import CONTEXT_HEAD
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.bundles import edit_manifest
from tests.support.faces import demo_frames
from tests.support.videos import write_frames, write_video
from train.cli import main
from train.methods.subject_msda.personal.differentiable_graph import DifferentiableGraph

CAREFUL = "threshold = 0.3\nsteps = 5\nrounds = 1\n"  # the demo's face is not judged with much confidence


def write_recording(folder: Path, frames: list[np.ndarray]) -> Path:
    """A folder with one video of these frames, 25 a second."""
    folder.mkdir()
    write_frames(folder / "me.mp4", frames)
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of one person."""
    return write_recording(tmp_path_factory.mktemp("person") / "videos", demo_frames(100))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("settings") / "careful.toml"
    file.write_text(CAREFUL)
    return file


@pytest.fixture(scope="module")
def personal(recording: Path, settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A picture of the same face lies beside the video."""
    cv2.imwrite(str(recording / "still.png"), demo_frames(1)[0])
    (recording / "notes.txt").write_text("not a picture")
    target = tmp_path_factory.mktemp("out") / "me"
    assert main(["personalise", "--recording", str(recording), "--out", str(target), "--config", str(settings)]) == 0
    return load_bundle(target)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line with which the command ends."""
    capsys.readouterr()
    assert main(["personalise", *map(str, words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_manifest_says_what_it_was_made_from(personal: Bundle) -> None:
    base = load_bundle()
    made = personal.manifest.metrics["personalisation"]
    assert isinstance(made, dict)
    assert personal.manifest.label == f"{base.manifest.name}-personal@{base.manifest.version}"
    assert (made["base"], made["base_sha256"]) == (base.manifest.label, base.sha256)
    assert made["crops"] > 40
    assert made["settings"]["threshold"] == 0.3
    assert personal.manifest.training.data[-1] == f"{made['crops']} unlabelled crops of one person"


def test_only_the_clip_encoder_differs_from_the_base(personal: Bundle) -> None:
    graphs, old = personal.manifest.graphs, load_bundle().manifest.graphs
    changed = [role for role, graph in graphs.items() if graph.sha256 != old[role].sha256]
    assert changed == ["clip_encoder"]


def test_the_stream_gives_the_numbers_of_the_map_in_torch(personal: Bundle, recording: Path) -> None:
    """The published values of the whole clip, against base features, the written shift and the head in torch."""
    base = load_bundle()
    features = np.random.default_rng(0).normal(size=(6, base.manifest.clip.frames, base.feature_dim)).astype(np.float32)
    clips = torch.from_numpy(OnnxRuntimeEngine(base).encode_clips(features))
    moved = torch.from_numpy(OnnxRuntimeEngine(personal).encode_clips(features)) - clips
    assert moved.abs().max() > 1e-3
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-4, rtol=0)  # one vector for all

    estimates = [one for one in analyze(recording / "me.mp4", bundle=personal) if one.valence is not None]
    assert len(estimates) > 50
    assert {one.model for one in estimates} == {personal.manifest.label}
    heads = DifferentiableGraph(base.graph_path(CONTEXT_HEAD))
    engine = OnnxRuntimeEngine(personal)
    context = np.repeat((clips + moved).numpy()[:, None], personal.manifest.context.clips, axis=1)
    valid = np.ones(context.shape[:2], bool)
    found = engine.run_heads(np.ascontiguousarray(context[:, 0]), context, valid)
    expected = heads({"clip": clips + moved[0], "context": torch.from_numpy(context), "valid": torch.from_numpy(valid)})
    for name, rows in found.items():
        np.testing.assert_allclose(rows, expected[name].numpy(), atol=1e-4)


def test_the_report_shows_before_and_after(personal: Bundle) -> None:
    folder = personal.path / "report"
    report = json.loads((folder / "report.json").read_text())
    assert report["recording"]["files"] == 2
    assert report["pseudo_labels"]["kept"] >= 20
    assert report["affect"]["valence"]["ccc_to_base"] <= 1
    assert report["drift"]["relative"] > 0
    assert any("Only 4 s" in line for line in report["warnings"])
    assert sum(report["emotions"]["mean_after"].values()) == pytest.approx(1, abs=1e-3)
    assert "| valence: mean |" in (folder / "report.md").read_text()
    assert cv2.imread(str(folder / "report.png")) is not None


def test_the_card_says_that_the_intervals_are_no_longer_guaranteed(personal: Bundle) -> None:
    card = (personal.path / "MODEL_CARD.md").read_text()
    assert card.startswith(f"# {personal.manifest.label}")
    assert "coverage is not guaranteed" in card
    assert "The card of the base" in card


def test_intervals_are_never_narrower_than_the_bases(personal: Bundle) -> None:
    new, old = personal.manifest.head("affect"), load_bundle().manifest.head("affect")
    assert new is not None and new.calibration is not None
    assert old is not None and old.calibration is not None
    assert all(new.calibration.quantiles[name] >= value for name, value in old.calibration.quantiles.items())


def test_the_engine_tool_reads_it(personal: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert engines_main(["inspect", str(personal.path)]) == 0
    assert personal.manifest.label in capsys.readouterr().out


def test_a_personal_bundle_is_replaced_and_nothing_else(
    personal: Bundle, recording: Path, settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--recording", recording, "--config", settings, "--out")
    assert "exists and is no personal bundle" in refused(capsys, *words, recording)
    assert "is the bundle that is adapted" in refused(capsys, *words, default_bundle_path())
    assert "is a personal bundle already" in refused(capsys, *words, tmp_path / "x", "--bundle", personal.path)
    again = shutil.copytree(personal.path, tmp_path / "again")
    assert main(["personalise", *map(str, words), str(again)]) == 0
    told = capsys.readouterr().out
    assert f"{personal.manifest.label}: written to {again}, see {again / 'report' / 'report.md'}\n" in told
    assert f"notice: {NOTICE}\n" in told
    assert load_bundle(again).manifest.created >= personal.manifest.created


def test_several_people_in_one_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = [np.hstack([frame, frame]) for frame in demo_frames(15)]
    message = refused(capsys, "--recording", write_recording(tmp_path / "two", pair), "--out", tmp_path / "out")
    assert "shows several faces at once" in message
    assert not (tmp_path / "out").exists()


def test_too_few_faces_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "one.jpg"), demo_frames(1)[0])
    assert "1 faces (0.0 s of video) are too few" in refused(capsys, "--recording", tmp_path / "one.jpg")


def test_a_recording_without_a_face_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = write_video(tmp_path / "empty.mp4", frames=10)
    assert "no face is seen in it" in refused(capsys, "--recording", video)


def test_where_nothing_is_judged_with_confidence_nothing_is_written(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = tmp_path / "strict.toml"
    strict.write_text("threshold = 1.0\nrounds = 1\n")
    words = ("--recording", recording, "--config", strict, "--out", tmp_path / "out")
    assert "0 of" in (message := refused(capsys, *words))
    assert "lower `threshold`" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recording", "no/such/folder"], "--recording no/such/folder: no such file or folder"),
        (["--recording", "configs"], "holds no video"),
        (["--recording", str(DEMO_CLIP), "--bundle", "docs"], "there is no manifest.json"),
        (["--recording", str(DEMO_CLIP), "--config", "docs/none.toml"], "configs/train/subject_msda/personalise.toml"),
        (["--recording", str(DEMO_CLIP), "--config", "pyproject.toml"], "unknown field"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(capsys, *words)


def test_a_bundle_without_emotions_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(default_bundle_path(), tmp_path / "bundle")
    edit_manifest(folder, lambda manifest: manifest["heads"].pop())
    message = refused(capsys, "--recording", DEMO_CLIP, "--bundle", folder, "--out", tmp_path / "out")
    assert "has no classification head" in message


def test_the_help_shows_what_to_record_and_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["personalise", "--help"])
    out = capsys.readouterr().out
    assert "python -m train personalise --recording my_videos" in out
    assert "delete the folder" in out
