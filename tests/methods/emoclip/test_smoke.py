"""The smoke recipes of EmoCLIP from start to end: fit, evaluate, export, and a head of one's own on the result."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamaffect.runtime.bundle import load_bundle
from tests.support.training.other_device import other_device
from train.cli import main
from train.methods.emoclip.data.videos import drawn_descriptions
from train.methods.registry import load_recipe

CONFIGS = Path(__file__).parents[3] / "configs" / "train" / "emoclip"
pytest.importorskip("transformers")


def run(verb: str, recipe: Path, folder: Path, *more: str) -> dict[str, float]:
    assert main([verb, "--config", str(recipe), "--run", str(folder), *more]) == 0
    report: dict[str, float] = json.loads((folder / "report.json").read_text())
    return report


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "run"
    with other_device():
        run("fit", CONFIGS / "smoke.toml", folder)
    return folder


def changed_downstream(folder: Path, **keys: str) -> Path:
    """The smoke recipe of the head beside its base, with more keys."""
    (folder / "base.toml").write_text((CONFIGS / "smoke.toml").read_text())
    (folder / "prompts.toml").write_text((CONFIGS / "prompts.toml").read_text())
    text = (CONFIGS / "downstream_smoke.toml").read_text().replace("smoke.toml", "base.toml")
    recipe = folder / "mine.toml"
    more = "\n".join(f"{key} = {value}" for key, value in keys.items())
    recipe.write_text(text.replace("epochs = 8", "epochs = 1").replace("[optimiser]", f"{more}\n[optimiser]"))
    return recipe


def test_videos_lie_beside_the_sentences_of_their_class_better_than_their_mean_frame_does(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    assert report["war"] > report["baseline_war"] + 0.2
    manifest = load_bundle(finished / "bundle").manifest
    assert [output.name for output in manifest.heads[0].outputs][:2] == ["anger", "disgust"]


def test_a_finished_run_is_scored_and_exported_again_without_training(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((finished / "report.json").read_text())
    written = (finished / "temporal.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    run("evaluate", CONFIGS / "smoke.toml", finished)
    assert json.loads((finished / "report-smoke.json").read_text()) == before
    assert run("export", CONFIGS / "smoke.toml", finished, "--export", str(tmp_path / "bundle")) == before
    first, again = (load_bundle(folder).manifest for folder in (finished / "bundle", tmp_path / "bundle"))
    assert again.graphs == first.graphs
    assert (finished / "temporal.safetensors").stat().st_mtime_ns == written
    assert "epoch" not in capsys.readouterr().out


def test_a_head_of_ones_own_is_trained_on_the_embeddings_of_videos(tmp_path: Path) -> None:
    assert run("fit", CONFIGS / "downstream_smoke.toml", tmp_path)["war"] > 0.9
    head = load_bundle(tmp_path / "bundle").manifest.heads[0]
    assert (head.name, head.kind, len(head.outputs)) == ("expressions", "classification", 5)


def test_a_linear_probe_leaves_the_transformer_of_a_finished_run_as_it_is(finished: Path, tmp_path: Path) -> None:
    recipe = changed_downstream(tmp_path, run=f'"{finished}"', trains='"head"', head='"linear"')
    assert run("fit", recipe, tmp_path / "run").keys() == {"war", "uar"}
    graphs = [load_bundle(folder / "bundle").manifest.graphs for folder in (finished, tmp_path / "run")]
    assert graphs[0]["clip_encoder"] == graphs[1]["clip_encoder"]
    assert graphs[0]["context_head"] != graphs[1]["context_head"]


def test_values_are_learned_from_feature_files(tmp_path: Path) -> None:
    drawn = drawn_descriptions(load_recipe(CONFIGS / "smoke.toml").recipe, seed=0)
    tensors = drawn._asdict() | {"values": torch.rand(len(drawn.frames), 2)}
    for part in ("train", "val"):
        save_file({name: value.contiguous() for name, value in tensors.items()}, tmp_path / f"{part}.safetensors")
    recipe = changed_downstream(tmp_path, outputs='["valence", "arousal"]')
    base = tmp_path / "base.toml"
    base.write_text(base.read_text().replace('data = "drawn"', 'data = "features"'))
    report = run("fit", recipe, tmp_path / "run", "--data", str(tmp_path))
    assert report.keys() == {"ccc_valence", "ccc_arousal", "pcc_valence", "pcc_arousal"}
    head = load_bundle(tmp_path / "run" / "bundle").manifest.heads[0]
    assert (head.name, head.kind, [one.name for one in head.outputs]) == (
        "affect", "regression", ["valence", "arousal"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "base", "message"),
    [
        ({}, "[", "base.toml: "),
        ({}, 'method = "jmt"\n', "base.toml: is no recipe of the method emoclip, which `base` of"),
        ({}, None, "base.toml: cannot be read"),
        ({"outputs": '["valence"]'}, "", "reads drawn"),
        ({"run": '"no/run"'}, "", "`run` takes the folder of a finished run"),
    ],
)
def test_a_head_whose_base_does_not_fit_ends_with_one_line(
    keys: dict[str, str], base: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed_downstream(tmp_path, **keys)
    if base is None:
        (tmp_path / "base.toml").unlink()
    elif base:
        (tmp_path / "base.toml").write_text(base)
    assert main(["fit", "--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
