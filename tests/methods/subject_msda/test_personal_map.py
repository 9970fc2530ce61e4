"""The map that fits a bundle to one person."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from streamaffect.runtime.bundle import load_bundle
from tests.support import bundles
from train.bundle.source_statistics import SourceStatistics
from train.methods.subject_msda.personal.adaptation import Adaptation, PersonMap
from train.methods.subject_msda.personal.bundle import append_map, widened_quantiles
from train.methods.subject_msda.personal.footage import PersonClips
from train.methods.subject_msda.personal.recipe import PersonaliseSettings

DIM, CLASSES = 6, 3
CENTRES = 5 * torch.eye(CLASSES, DIM)
SHIFT = torch.tensor([0.0, 0.0, 0.0, 1.5, -1.0, 0.5])
SOURCES = SourceStatistics(("a", "b", "c"), torch.ones(3), CENTRES, torch.eye(DIM).expand(3, -1, -1).contiguous())


def heads(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A class by its centre; every output looks at the context too."""
    mixed = (inputs["clip"] + inputs["context"].mean(dim=1)) / 2
    return {"emotions": (mixed @ CENTRES.T / 2).softmax(dim=1), "affect": mixed[:, 3:5] / 10}


def person(labels: Tensor, shift: Tensor = SHIFT) -> PersonClips:
    """Clips of a person whose vectors are shifted; of each clip the context is the clip itself."""
    generator = torch.Generator().manual_seed(5)
    plain = CENTRES[labels] + shift + 0.5 * torch.randn(len(labels), DIM, generator=generator)
    rows = torch.arange(len(labels))
    mirrored = plain + 0.1 * torch.randn(len(labels), DIM, generator=generator)
    return PersonClips(plain, mirrored, rows.unsqueeze(1), torch.ones(len(labels), 1, dtype=torch.bool), rows * 0)


def adaptation(clips: PersonClips, sources: SourceStatistics | None = SOURCES, **settings: object) -> Adaptation:
    values = {"steps": 80, "lr": 0.05, "drift": 0.05} | settings
    return Adaptation(clips, heads, "emotions", sources, msgspec.convert(values, PersonaliseSettings))


def moved(made: PersonMap) -> Tensor:
    return made.forward(torch.zeros(1, DIM)).squeeze(0)


def test_the_discrepancy_takes_the_persons_shift_back() -> None:
    found = adaptation(person(torch.arange(120) % 3), pseudo=0.0).run()
    torch.testing.assert_close(moved(found.person), -SHIFT, rtol=0, atol=0.45)
    assert found.discrepancy is not None
    assert found.discrepancy[1] < 0.5 * found.discrepancy[0]


def test_somebody_who_shows_one_emotion_alone_is_compared_with_that_emotion() -> None:
    """Against all rows of the sources, one class alone would look shifted towards its centre."""
    found = adaptation(person(torch.zeros(120, dtype=torch.int64), torch.zeros(DIM)), pseudo=0.0).run()
    assert moved(found.person).abs().max() < 0.3


def test_without_statistics_of_the_sources_pseudo_labels_alone_are_used() -> None:
    clips = person(torch.arange(120) % 3)
    found = adaptation(clips, sources=None, pseudo=1.0).run()
    assert found.discrepancy is None
    assert moved(found.person).abs().max() > 0
    assert torch.equal(moved(adaptation(clips, sources=None, pseudo=0.0).run().person), torch.zeros(DIM))


def test_without_a_confident_clip_the_map_stays_the_identity() -> None:
    found = adaptation(person(torch.arange(30) % 3), threshold=1.0, threshold_step=0.0).run()
    assert (found.found, len(found.kept.indices)) == ([0, 0], 0)
    assert torch.equal(moved(found.person), torch.zeros(DIM))


def test_more_weight_of_the_drift_moves_less() -> None:
    clips = person(torch.arange(120) % 3)
    distances = [moved(adaptation(clips, drift=drift).run().person).norm() for drift in (0.0, 1.0, 100.0)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * distances[0]


def test_the_same_seed_gives_the_same_map() -> None:
    clips = person(torch.arange(60) % 3)
    first, second, other = (moved(adaptation(clips, seed=seed).run().person) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_predictions_of_many_clips_are_those_of_each_alone() -> None:
    many = adaptation(person(torch.arange(1500) % 3))
    expected = heads({"clip": many.clips.plain, "context": many.clips.plain.unsqueeze(1)})
    torch.testing.assert_close(many.predict(None), expected)


def random_map(*, affine: bool, dim: int) -> PersonMap:
    made = PersonMap(torch.linspace(-1, 1, dim), 0.7, affine=affine)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    return made


@pytest.mark.parametrize("affine", [False, True])
def test_the_map_in_the_graph_is_the_map_in_torch(affine: bool) -> None:
    made, model = random_map(affine=affine, dim=bundles.DIM), bundles.clip_encoder(4)
    features = np.random.default_rng(0).normal(size=(5, 4, bundles.DIM)).astype(np.float32)
    append_map(model, made)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(["clip"], {"features": features})
    with torch.no_grad():
        expected = made(torch.from_numpy(features).mean(dim=1))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_a_widened_interval_holds_the_bases_on_nearly_all_clips(tmp_path: Path) -> None:
    base = load_bundle(bundles.write_bundle(tmp_path / "bundle")).manifest
    generator = torch.Generator().manual_seed(0)
    before = {"affect": torch.rand(200, 2, generator=generator), "affect_spread": torch.full((200, 2), 0.1)}
    after = {
        "affect": before["affect"] + 0.2 * torch.rand(200, 2, generator=generator),
        "affect_spread": torch.full((200, 2), 0.08),
    }
    wide = widened_quantiles(base, before, after)["affect"]
    for i, name in enumerate(("valence", "arousal")):
        low = after["affect"][:, i] - wide[name] * 0.08 <= before["affect"][:, i] - bundles.QUANTILE * 0.1 + 1e-6
        high = after["affect"][:, i] + wide[name] * 0.08 >= before["affect"][:, i] + bundles.QUANTILE * 0.1 - 1e-6
        assert 0.94 <= (low & high).float().mean() <= 0.96
    assert widened_quantiles(base, before, before)["affect"]["valence"] == pytest.approx(bundles.QUANTILE)
