"""A recipe that continues the frame encoder of a bundle."""

from pathlib import Path

import pytest
import torch
from rich.console import Console

from streamaffect.errors import StreamAffectError
from train.loop.progress import Progress
from train.methods.relational.from_bundle import load_exported_encoder
from train.methods.relational.run import Run

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "configs" / "train" / "relational" / "smoke.toml"
TINY = {"generated = 512": "generated = 640", "epochs = 4": "epochs = 1", "epochs = 3": "epochs = 1"}


def recipe(folder: Path, name: str, start_from: Path | None = None, keep: float = 0.0) -> Path:
    text = SMOKE.read_text(encoding="utf-8")
    for old, new in TINY.items():
        text = text.replace(old, new)
    if start_from is not None:
        text = text.replace("dropout = 0.0", f'dropout = 0.0\nstart_from = "{start_from}"\nkeep_start = {keep}')
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run(folder: Path, name: str, start_from: Path | None = None, keep: float = 0.0) -> Run:
    return Run(recipe(folder, f"{name}-{keep}", start_from, keep), folder / name, None, Progress(Console(quiet=True)))


def as_crops(pictures: torch.Tensor) -> torch.Tensor:
    """(N, S, S) grey → (N, S, S, 3)."""
    return pictures[:, :, :, None].expand(-1, -1, -1, 3)


@pytest.mark.slow
def test_training_goes_on_from_an_exported_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(tmp_path, "first")
    first.fit()
    first.evaluate()
    first.export(tmp_path / "bundle")
    seen: list[float] = []

    def watched(bundle: Path, encoder: torch.nn.Module, pictures: torch.Tensor) -> None:
        load_exported_encoder(bundle, encoder, pictures)  # type: ignore[arg-type]
        with torch.no_grad():
            expected = first.frame_encoder()(as_crops(pictures))
            seen.append(float((encoder.eval()(as_crops(pictures)) - expected).abs().max()))

    monkeypatch.setattr("train.methods.relational.run.load_exported_encoder", watched)
    second = run(tmp_path, "second", tmp_path / "bundle")
    second.fit()
    assert seen[0] < 1e-4


@pytest.mark.slow
def test_a_part_of_the_starting_weights_is_kept_where_asked_for(tmp_path: Path) -> None:
    first = run(tmp_path, "first")
    first.fit()
    trained, half, start = (run(tmp_path, "second", tmp_path / "first", keep) for keep in (0.0, 0.5, 1.0))
    trained.fit()

    def weights(one: Run) -> torch.Tensor:
        stem: torch.Tensor = one.frame_encoder().state_dict()["stem.0.weight"]
        return stem

    assert torch.equal(weights(start), weights(first))
    assert not torch.equal(weights(trained), weights(first))
    assert torch.allclose(weights(half), (weights(trained) + weights(first)) / 2)


def test_a_folder_that_is_neither_run_nor_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamAffectError, match="has no checkpoint"):
        run(tmp_path, "second", tmp_path / "nothing").fit()
