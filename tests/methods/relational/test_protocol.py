"""A protocol from the data set's own layout to its report, with drawn faces in the layout of AMIGOS."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.demo import DEMO_CLIP
from train.cli import main
from train.data.clip_faces import ClipFaces
from train.data.clip_weights import ClipWeights
from train.data.clips_csv import load_clips_csv
from train.errors import DataError
from train.methods.relational.data.generated import generated_videos

SUBJECTS, SEGMENTS = 4, 3
PROTOCOL = """
name = "tiny"
seed = 1
outputs = ["arousal", "valence"]

[data]
kind = "amigos"
divide = "by subject"
valid_subjects = 1

[sequence]
frames = 4
window = 1
every = 4

[encoder]
recipe = "SMOKE"

[regressor]
heads = 2
layers = 1
feedforward = 16

[optimiser]
epochs = 2
batch = 4
lr = 0.01
momentum = 0.9

[objective]
main = "ccc"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Segments of swinging faces, rated by what they show on average."""
    root = tmp_path / "amigos"
    videos = iter(generated_videos(SUBJECTS * SEGMENTS, seed=3))
    tree = {}
    for subject in range(1, SUBJECTS + 1):
        segments = {}
        for segment in range(1, SEGMENTS + 1):
            video = next(videos)
            folder = root / "group" / f"P{subject}_1_face" / str(segment)
            folder.mkdir(parents=True)
            for number, picture in enumerate(video.pictures, start=1):
                cv2.imwrite(str(folder / f"image_{number:05d}.jpg"), picture)
            valence, arousal = video.affect.mean(axis=0).tolist()
            segments[str(segment)] = {"Valence": [valence] * 3, "Arousal": [arousal] * 3}
        tree[str(subject)] = {"Videos": {"1": {"Segments": segments}}}
    (root / "amigos.json").write_text(json.dumps(tree))
    return root


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    smoke = Path(__file__).parents[3] / "configs" / "train" / "relational" / "smoke.toml"
    file = tmp_path / "tiny.toml"
    file.write_text(PROTOCOL.replace("SMOKE", str(smoke)))
    return file


def run(protocol: Path, data: Path) -> int:
    return main(["protocol", "--config", str(protocol), "--data", str(data), "--run", str(data.parent / "run")])


def test_every_subject_is_predicted_by_a_model_that_has_not_seen_it(
    protocol: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(protocol, data) == 0
    report = json.loads((data.parent / "run" / "report.json").read_text())
    assert report["clips"] == SUBJECTS * SEGMENTS
    assert report["recordings"] == SUBJECTS
    assert list(report["folds"]) == ["1", "2", "3", "4"]
    assert {(score["output"], score["metric"]) for score in report["pooled"]} >= {
        ("valence", "ccc"),
        ("arousal", "rmse"),
    }
    page = (data.parent / "run" / "report.md").read_text()
    for name in ("scatter", "circumplex", "fold-1", "fold-4"):
        assert f"![{name}]" in page
        assert (data.parent / "run" / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((data.parent / "run" / "run.json").read_text())["recipe"]["name"] == "tiny"
    printed = capsys.readouterr().out
    assert "clips: 12, subjects: 4" in printed
    assert "ccc valence" in printed


def test_windows_are_drawn_from_where_labels_were_predicted_best_if_the_protocol_says_so(
    protocol: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = '\n[sampling]\nkind = "softmax"\nwarm_up = 0\nexploration = 2\n'
    protocol.write_text(protocol.read_text().replace("frames = 4", "frames = 2") + sampling)
    learned: list[tuple[int, float, int]] = []
    update = ClipWeights.update

    def watched(weights: ClipWeights, video: int, start: int, score: float, epoch: int) -> None:
        assert start == weights.draw(video, epoch)
        learned.append((start, score, epoch))
        update(weights, video, start, score, epoch)

    monkeypatch.setattr(ClipWeights, "update", watched)
    assert run(protocol, data) == 0
    assert {epoch for _, _, epoch in learned} == {1, 2}
    assert len({start for start, _, _ in learned}) > 1
    assert max(score for _, score, _ in learned) < 0


def test_an_interrupted_protocol_goes_on_with_the_folds_that_are_missing(protocol: Path, data: Path) -> None:
    assert run(protocol, data) == 0
    folds = data.parent / "run" / "folds"
    before = {file.name: file.read_text() for file in folds.iterdir()}
    report = (data.parent / "run" / "report.json").read_text()
    kept = folds / "000.json"
    written_ns = kept.stat().st_mtime_ns
    (folds / "002.json").unlink()
    assert run(protocol, data) == 0
    assert kept.stat().st_mtime_ns == written_ns
    assert {file.name: file.read_text() for file in folds.iterdir()} == before
    assert (data.parent / "run" / "report.json").read_text() == report


def test_folds_of_another_protocol_are_not_mixed_in(
    protocol: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(protocol, data) == 0
    protocol.write_text(protocol.read_text().replace("epochs = 2", "epochs = 1"))
    assert run(protocol, data) == 2
    assert "000.json: was predicted with another protocol" in capsys.readouterr().err


def test_a_user_s_mistakes_end_with_one_line(protocol: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "amigos.json").unlink()
    assert run(protocol, data) == 2
    assert "amigos.json: missing" in capsys.readouterr().err
    assert main(["protocol", "--config", str(protocol)]) == 2
    assert "--data must name the folder" in capsys.readouterr().err


def test_faces_of_a_video_file_are_found_at_the_rate_of_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "demo.mp4").symlink_to(DEMO_CLIP)
    (tmp_path / "clips.csv").write_text(
        "path,start_s,end_s,subject,split,valence\ndemo.mp4,0,3.2,anna,,0.1\ndemo.mp4,500,600,anna,,0.1\n"
    )
    faces = ClipFaces(tmp_path, tmp_path / "prepared", CropSpec(size=32, margin=0.1, align="roll"), every=8)
    (record,) = faces.prepare(load_clips_csv(tmp_path / "clips.csv").records, lambda _name, _what: None)
    assert record.start_s == 0  # nothing is there from second 500 on
    assert faces.count(record) == pytest.approx(3.2 * 25 / 8, abs=1)
    crops = faces.read(record, np.array([[0, 3], [3, 1]]))
    assert crops.shape == (2, 2, 32, 32, 3)
    assert np.array_equal(crops[0, 1], crops[1, 0])
    assert not np.array_equal(crops[0, 0], crops[0, 1])


def test_a_picture_that_cannot_be_read_is_named(data: Path, tmp_path: Path) -> None:
    from train.data.sets.amigos import load_amigos

    record = load_amigos(data).records[0]
    assert isinstance(record.source, tuple)
    record.source[0].write_bytes(b"no picture")
    faces = ClipFaces(data, tmp_path, CropSpec(size=32, margin=0.1, align="roll"), every=4)
    with pytest.raises(DataError, match=r"image_00001\.jpg: cannot be read as a picture"):
        faces.read(record, np.array([0]))
