"""A recipe that continues the frame encoder of a bundle."""

from pathlib import Path

import pytest
import torch

from streamaffect.errors import StreamAffectError
from tests.support.training.runs import CONFIGS, context
from train.methods.registry import load_recipe
from train.methods.relational.from_bundle import load_exported_encoder
from train.methods.relational.run import Run

SMOKE = CONFIGS / "relational" / "smoke.toml"
TINY = {"epochs = 4": "epochs = 1", "epochs = 3": "epochs = 1"}


def recipe(folder: Path, start_from: Path, keep: float = 0.0) -> Path:
    """The smoke recipe, shorter, that begins with the weights in a folder."""
    text = SMOKE.read_text(encoding="utf-8")
    for old, new in TINY.items():
        assert old in text
        text = text.replace(old, new)
    text = text.replace("dropout = 0.0", f'dropout = 0.0\nstart_from = "{start_from}"\nkeep_start = {keep}')
    path = folder / f"keeps-{keep}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def opened(file: Path, folder: Path) -> Run:
    return Run(load_recipe(file).recipe, context(file, folder))


def as_crops(pictures: torch.Tensor) -> torch.Tensor:
    """(N, S, S) grey → (N, S, S, 3)."""
    return pictures[:, :, :, None].expand(-1, -1, -1, 3)


@pytest.mark.slow
def test_training_goes_on_from_an_exported_bundle(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(SMOKE, finished).frame_encoder()
    seen: list[float] = []

    def watched(bundle: Path, encoder: torch.nn.Module, pictures: torch.Tensor) -> None:
        load_exported_encoder(bundle, encoder, pictures)  # type: ignore[arg-type]
        with torch.no_grad():
            expected = first(as_crops(pictures))
            seen.append(float((encoder.eval()(as_crops(pictures)) - expected).abs().max()))

    monkeypatch.setattr("train.methods.relational.run.load_exported_encoder", watched)
    opened(recipe(tmp_path, finished / "bundle"), tmp_path / "second").fit()
    assert seen[0] < 1e-4


@pytest.mark.slow
def test_a_part_of_the_starting_weights_is_kept_where_asked_for(finished: Path, tmp_path: Path) -> None:
    first = opened(SMOKE, finished)
    trained, half, start = (opened(recipe(tmp_path, finished, keep), tmp_path / "second") for keep in (0.0, 0.5, 1.0))
    trained.fit()

    def weights(one: Run) -> torch.Tensor:
        stem: torch.Tensor = one.frame_encoder().state_dict()["stem.0.weight"]
        return stem

    assert torch.equal(weights(start), weights(first))
    assert not torch.equal(weights(trained), weights(first))
    assert torch.allclose(weights(half), (weights(trained) + weights(first)) / 2)


def test_a_folder_that_is_neither_run_nor_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamAffectError, match="has no checkpoint"):
        opened(recipe(tmp_path, tmp_path / "nothing"), tmp_path / "second").fit()
