"""A lens of drawn faces is trained, calibrated, written, and looks through the stream."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect import analyze, load_bundle
from streamaffect.lenses.loading import check_fit, read_lens
from tests.support.training.other_device import other_device
from train.cli import main
from train.methods.lens.data import LEFT_OUT, UNITS, WEAK
from train.methods.lens.loss import Scales, lens_losses
from train.methods.lens.model import MapHead
from train.methods.lens.recipe import HeadConfig, LossConfig
from train.methods.lens.scores import conformal_quantiles, coverage

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lens")
    with other_device():
        assert (
            main(["fit", "--config", str(ROOT / "configs" / "train" / "lens" / "smoke.toml"), "--run", str(folder)])
            == 0
        )
    return folder


def test_drawn_smiles_and_blinks_are_learned_and_the_intervals_hold(run: Path) -> None:
    clips = json.loads((run / "report.json").read_text())["metrics"]["clips"]
    assert clips["pearson"]["AU12"] > 0.7
    assert clips["pearson"]["AU43"] > 0.7
    assert 0.75 <= clips["coverage"] <= 1.0


def test_the_lens_belongs_to_the_shipped_encoder_and_is_seen_in_the_stream(run: Path) -> None:
    lens = read_lens(run / "bundle")
    check_fit(lens, load_bundle())
    assert (run / "bundle" / "MODEL_CARD.md").read_text().startswith("# Lens smoke@0.1")
    found = list(analyze(DEMO, engine="onnxruntime", lenses=[f"drawn={run / 'bundle'}"], run={"max_seconds": 0.5}))
    assert set(found[-1].outputs["drawn"]) == {f"AU{unit:02d}" for unit in UNITS if unit not in WEAK}


def test_units_that_the_teacher_never_moves_are_not_there() -> None:
    assert not set(LEFT_OUT) & set(UNITS)
    assert len([unit for unit in UNITS if unit not in WEAK]) == 11


def test_a_weighted_quantile_gives_each_person_an_equal_share() -> None:
    """A hundred frames of one person with small errors do not hide one frame of another with a large one."""
    errors = np.concatenate([np.linspace(0, 1, 100), [9.0]])[:, None].astype(np.float32)
    by_frame = conformal_quantiles(errors, np.ones(101, np.float32))
    by_person = conformal_quantiles(errors, np.concatenate([np.full(100, 0.01), [1.0]]).astype(np.float32))
    assert by_frame[0] < 1
    assert by_person[0] == 9


def test_the_quantile_holds_what_it_promises_on_exchangeable_errors() -> None:
    generator = np.random.default_rng(0)
    truth, spread = generator.normal(size=(4000, 2)).astype(np.float32), np.ones((4000, 2), np.float32)
    nothing = np.zeros_like(truth)
    quantiles = conformal_quantiles(np.abs(truth[:2000]), np.ones(2000, np.float32))
    held = coverage(nothing[2000:], spread[2000:], truth[2000:], quantiles)
    np.testing.assert_allclose(held, 0.9, atol=0.025)


def test_an_untrained_head_answers_what_is_usual() -> None:
    means = torch.tensor([0.02, 0.5, 0.3])
    logits, _ = MapHead(8, 3, HeadConfig(channels=4, hidden=6), means)(torch.zeros(200, 8, 8, 8))
    torch.testing.assert_close(logits.sigmoid().mean(dim=0), means, atol=0.1, rtol=0.0)


def test_a_unit_that_is_emphasised_counts_that_much_more() -> None:
    targets, spread = torch.rand(20, 2), torch.ones(20, 2)
    logits = torch.zeros(20, 2, requires_grad=True)
    config = LossConfig(ccc=0.0, spread=0.0)
    grown = []
    for weights in ([1.0, 1.0], [0.5, 1.5]):
        scales = Scales(torch.ones(2), torch.tensor(weights))
        losses = lens_losses(logits, spread, targets, scales, config)
        (slope,) = torch.autograd.grad(torch.stack([*losses.values()]).sum(), logits)
        grown.append(slope)
    torch.testing.assert_close(grown[1], grown[0] * torch.tensor([0.5, 1.5]))


def test_the_emphasis_of_what_is_no_unit_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.toml"
    smoke = (ROOT / "configs" / "train" / "lens" / "smoke.toml").read_text()
    recipe.write_text(f"{smoke}\n[loss.emphasis]\nAU18 = 2.0\n")
    assert main(["fit", "--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
    assert "loss.emphasis: 'AU18' is no unit of the lens; there are AU01, " in capsys.readouterr().err


def test_the_spread_teaches_the_values_nothing() -> None:
    head = MapHead(8, 3, HeadConfig(channels=4, hidden=6))
    _, spread = head(torch.rand(5, 8, 8, 8))
    spread.sum().backward()
    assert head.mix.weight.grad is None
    assert head.spread.weight.grad is not None
