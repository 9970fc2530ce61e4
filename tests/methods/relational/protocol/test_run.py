"""A protocol from the data set's own layout to its report, with drawn faces in the layout of AMIGOS."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.training.runs import CONFIGS, context
from train.cli import main
from train.data.sampling.clip_weights import ClipWeights
from train.loop.fit import Part
from train.methods.registry import load_recipe
from train.methods.relational.protocol.data import divide, open_clips
from train.methods.relational.protocol.model import make_regressor
from train.methods.relational.protocol.recipe import ProtocolRecipe
from train.methods.relational.protocol.task import FoldTask, predict
from train.methods.relational.recipe import load_recipe as load_frame_recipe

SMOKE = CONFIGS / "relational" / "smoke.toml"
PROTOCOL = """
method = "protocol"
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
kind = "sgd"
epochs = 3
batch = 2
lr = 0.02
momentum = 0.9
weight_decay = 5e-4
schedule = "steps"
warmup_epochs = 0
decay = 0.5
decay_every = 1
divisor = 2.6
clip_norm = 0
ema = 0

[objective]
main = "ccc"
"""
SAMPLED = '\n[sampling]\nkind = "softmax"\nwarm_up = 1\nexploration = 2\n'


def write(file: Path, text: str = PROTOCOL) -> Path:
    file.write_text(text.replace("SMOKE", str(SMOKE)))
    return file


def run(protocol: Path, data: Path, folder: Path, verb: str = "protocol") -> int:
    return main([verb, "--config", str(protocol), "--data", str(data), "--run", str(folder)])


@pytest.fixture(scope="module")
def finished_run(amigos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all folds, which no test may change; the protocol lies beside it."""
    folder = tmp_path_factory.mktemp("protocol")
    assert run(write(folder / "tiny.toml"), amigos, folder / "run") == 0
    return folder / "run"


@pytest.fixture
def changeable(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(finished_run, tmp_path / "run")
    shutil.copy(finished_run.with_name("tiny.toml"), tmp_path)
    return tmp_path / "run"


def test_every_subject_is_predicted_by_a_model_that_has_not_seen_it(finished_run: Path) -> None:
    report = json.loads((finished_run / "report.json").read_text())
    assert report["clips"] == 12
    assert report["recordings"] == 4
    assert list(report["folds"]) == ["1", "2", "3", "4"]
    assert {(score["output"], score["metric"]) for score in report["pooled"]} >= {
        ("valence", "ccc"),
        ("arousal", "rmse"),
    }
    page = (finished_run / "report.md").read_text()
    for name in ("scatter", "circumplex", "fold-1", "fold-4"):
        assert f"![{name}]" in page
        assert (finished_run / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((finished_run / "run.json").read_text())["recipe"]["name"] == "tiny"


def test_a_fold_is_trained_by_plain_sgd_and_its_best_epoch_predicts(finished_run: Path, amigos: Path) -> None:
    """The same with torch's own optimiser, written out."""
    file = finished_run.with_name("tiny.toml")
    recipe, frame = load_recipe(file).recipe, load_frame_recipe(SMOKE)
    assert isinstance(recipe, ProtocolRecipe)
    opened = context(file, finished_run, data=amigos)
    clips = open_clips(recipe, frame.crop, opened)
    for number, fold in enumerate(divide(recipe.data, clips.records, recipe.seed)):
        torch.manual_seed(recipe.seed)
        regressor = make_regressor(recipe, frame.frame)
        task = FoldTask(recipe, clips, fold, regressor, opened.fabric)
        rest = [*regressor.neck.parameters(), *regressor.head.parameters()]
        groups = [{"params": list(regressor.encoder.parameters())}, {"params": rest}]
        sgd = torch.optim.SGD(groups, lr=recipe.optimiser.lr, momentum=0.9, weight_decay=5e-4)
        found = []
        for epoch in range(3):
            sgd.param_groups[1]["lr"] = 0.02 * 0.5**epoch
            sgd.param_groups[0]["lr"] = 0.02 * 0.5**epoch / (2.6 if epoch > 0 else 1)
            task.model.train()
            for batch in task.batches(epoch, 0, Part()):
                sgd.zero_grad()
                torch.autograd.backward(list(task.losses(task.model, batch).values()))
                sgd.step()
            found.append((task.validate(task.model)["valid"], predict(regressor, clips, fold.test, opened.fabric)))
        kept = json.loads((finished_run / "folds" / f"{number:03d}.json").read_text())["predictions"]
        torch.testing.assert_close(torch.tensor(kept), min(found, key=lambda one: one[0])[1], rtol=0, atol=1e-5)


def test_without_a_validation_part_the_last_epoch_predicts(amigos: Path, tmp_path: Path) -> None:
    text = PROTOCOL.replace("valid_subjects = 1", "valid_subjects = 0")
    ends = []
    for epochs in (1, 2):
        file = write(tmp_path / f"{epochs}.toml", text.replace("epochs = 3", f"epochs = {epochs}"))
        assert run(file, amigos, tmp_path / str(epochs)) == 0
        ends.append(json.loads((tmp_path / str(epochs) / "folds" / "000.json").read_text())["predictions"])
    assert ends[0] != ends[1]


@pytest.mark.parametrize("head", ["context", "clip"])
def test_a_head_sees_the_clips_around_unless_the_protocol_says_otherwise(
    head: str, amigos: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "tiny.toml", PROTOCOL.replace("[regressor]", f'[regressor]\nhead = "{head}"'))
    recipe = load_recipe(file).recipe
    torch.manual_seed(0)
    model = make_regressor(recipe, load_frame_recipe(SMOKE).frame).eval()
    clips = open_clips(recipe, load_frame_recipe(SMOKE).crop, context(file, tmp_path, data=amigos))
    crops = torch.from_numpy(clips.recording(0).crops[None, :3])  # (1, K, T, S, S, 3), the second clip is asked for
    other = crops.flip(1)
    assert torch.equal(other[:, 1], crops[:, 1])
    assert torch.equal(model(other[:, [0, 1, 0]])[1], model(crops)[1]) is (head == "clip")


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, float, int]]]:
    """Start, score and epoch of all that the samplers of this test were told."""
    seen: list[tuple[int, float, int]] = []
    update = ClipWeights.update

    def watched(weights: ClipWeights, video: int, start: int, score: float, epoch: int) -> None:
        assert start == weights.draw(video, epoch)
        seen.append((start, score, epoch))
        update(weights, video, start, score, epoch)

    monkeypatch.setattr(ClipWeights, "update", watched)
    yield seen


def sampled(folder: Path) -> Path:
    """A protocol whose windows are drawn from where labels were predicted best."""
    return write(
        folder / "tiny.toml", PROTOCOL.replace("frames = 4", "frames = 2").replace("epochs = 3", "epochs = 5") + SAMPLED
    )


def test_windows_are_drawn_from_where_labels_were_predicted_best_if_the_protocol_says_so(
    amigos: Path, tmp_path: Path, learned: list[tuple[int, float, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed, protocol = tmp_path / "whole", tmp_path / "killed", sampled(tmp_path)
    assert run(protocol, amigos, whole) == 0
    assert {epoch for _, _, epoch in learned} == {1, 2, 3, 4, 5}
    assert len({start for start, _, _ in learned}) > 1
    assert max(score for _, score, _ in learned) < 0

    # What was learned about the windows is part of a checkpoint: a run that dies in the second fold ends as the other.
    validate, count = FoldTask.validate, 0

    def dies(task: FoldTask, model: torch.nn.Module) -> dict[str, float]:
        nonlocal count
        count += 1
        if count == 5 + 4:
            raise KeyboardInterrupt
        return validate(task, model)

    monkeypatch.setattr(FoldTask, "validate", dies)
    assert run(protocol, amigos, killed) == 130
    assert [path.name for path in (killed / "training").glob("*/step-*")] == ["step-00000009"]
    assert run(protocol, amigos, killed) == 0
    assert count == 9 + 2 + 2 * 5  # the rest of the second fold, and two more
    assert (killed / "report.json").read_text() == (whole / "report.json").read_text()


def test_an_interrupted_protocol_goes_on_with_the_folds_that_are_missing(changeable: Path, amigos: Path) -> None:
    folds = changeable / "folds"
    before = {file.name: file.read_text() for file in folds.iterdir()}
    report = (changeable / "report.json").read_text()
    written_ns = (folds / "000.json").stat().st_mtime_ns
    (folds / "002.json").unlink()
    assert run(changeable.with_name("tiny.toml"), amigos, changeable) == 0
    assert (folds / "000.json").stat().st_mtime_ns == written_ns
    assert {file.name: file.read_text() for file in folds.iterdir()} == before
    assert (changeable / "report.json").read_text() == report


def test_only_predictions_stay_of_finished_folds_and_no_checkpoint(finished_run: Path) -> None:
    assert list((finished_run / "training").glob("*/step-*")) == []
    assert len(list((finished_run / "training").glob("*/metrics.jsonl"))) == 4


def test_a_finished_protocol_is_scored_again_and_an_unfinished_one_is_not_trained(
    changeable: Path, amigos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol, report = changeable.with_name("tiny.toml"), changeable / "report.json"
    expected = report.read_text()
    report.unlink()
    assert run(protocol, amigos, changeable, "evaluate") == 0
    printed = capsys.readouterr().out
    assert "epoch" not in printed
    assert "clips: 12, subjects: 4" in printed
    assert "ccc valence: " in printed
    assert report.read_text() == expected
    (changeable / "folds" / "002.json").unlink()
    assert run(protocol, amigos, changeable, "evaluate") == 2
    assert "002-3: 0 of 3 epochs are trained; `python -m train fit`" in capsys.readouterr().err


def test_folds_that_an_older_recipe_has_predicted_are_those_of_the_same_one_today(
    changeable: Path, amigos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (changeable / "folds").iterdir():
        content = json.loads(file.read_text())
        optimiser = content["protocol"]["optimiser"]
        optimiser["encoder_divisor"] = optimiser.pop("divisor")
        for key in ("kind", "warmup_epochs", "ema", "accumulate", "save_steps", "stop"):
            del optimiser[key]
        del content["protocol"]["method"]
        file.write_text(json.dumps(content))
    assert run(changeable.with_name("tiny.toml"), amigos, changeable) == 0
    assert "epoch" not in capsys.readouterr().out


def test_folds_of_another_protocol_are_not_mixed_in(
    changeable: Path, amigos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = changeable.with_name("tiny.toml")
    protocol.write_text(protocol.read_text().replace("epochs = 3", "epochs = 1"))
    assert run(protocol, amigos, changeable) == 2
    assert "000.json: was predicted with another protocol" in capsys.readouterr().err


def test_a_user_s_mistakes_end_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    protocol = write(tmp_path / "tiny.toml")
    assert run(protocol, tmp_path, tmp_path / "run") == 2
    assert "amigos.json: missing" in capsys.readouterr().err
    assert main(["protocol", "--config", str(protocol), "--run", str(tmp_path / "run")]) == 2
    assert "tiny.toml needs --data: the folder that holds the clips of the protocol tiny" in capsys.readouterr().err
    few = write(tmp_path / "few.toml", PROTOCOL.replace("batch = 2", "batch = 1"))
    assert run(few, tmp_path, tmp_path / "run") == 2
    assert "at optimiser.batch: one clip has no concordance" in capsys.readouterr().err
