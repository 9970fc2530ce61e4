"""The heads of stage 2, and what is answered of them."""

import pytest
import torch
from torch import Tensor

from train.bundle.declared import AFFECT
from train.config import OptimiserConfig
from train.methods.relational.model import AFFECT_SPREAD, EMOTION_HEAD, AffectModel, ExportedHeads
from train.methods.relational.recipe import ClipConfig, LossConfig

PLACES = ((0.0, 0.0), (0.8, 0.5), (-0.6, 0.4))


def model(circumplex_share: float) -> AffectModel:
    torch.manual_seed(0)
    return AffectModel(
        8, frames=4, past=2, emotions=3, heads=2, layers=1, feedforward=16, circumplex=PLACES,
        circumplex_share=circumplex_share,
    ).eval()  # fmt: skip


@pytest.fixture
def clips() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    context = torch.randn(5, 3, 8, generator=generator)
    return context[:, -1], context, torch.ones(5, 3, dtype=torch.bool)


def test_affect_is_the_weighted_mean_of_the_direct_way_and_of_the_emotions(clips: tuple[Tensor, ...]) -> None:
    mixed, direct = model(0.25), model(0.0)
    direct.load_state_dict(mixed.state_dict())  # the share and the places are no weights
    answers, plain = mixed.answers(*clips), direct.answers(*clips)
    placed = plain[EMOTION_HEAD] @ torch.tensor(PLACES)
    assert torch.allclose(answers[AFFECT], 0.75 * plain[AFFECT] + 0.25 * placed, atol=1e-6)
    assert not torch.allclose(answers[AFFECT], plain[AFFECT], atol=1e-3)
    for name in (EMOTION_HEAD, AFFECT_SPREAD):
        assert torch.equal(answers[name], plain[name])


def test_the_share_takes_no_part_in_training(clips: tuple[Tensor, ...]) -> None:
    for name, rows in model(0.25).heads(*clips).items():
        assert torch.equal(rows, model(0.0).heads(*clips)[name])


def test_the_graph_gives_the_answers(clips: tuple[Tensor, ...]) -> None:
    answers = model(0.25).answers(*clips)
    affect, emotions = ExportedHeads(model(0.25), [AFFECT, EMOTION_HEAD])(*clips)
    assert torch.equal(affect, answers[AFFECT])
    assert torch.equal(emotions, answers[EMOTION_HEAD])


def test_a_recipe_cannot_place_emotions_that_it_does_not_learn() -> None:
    optimiser = OptimiserConfig(epochs=1, batch=2, lr=0.1)
    with pytest.raises(ValueError, match="cross_entropy"):
        ClipConfig(
            heads=1, layers=1, feedforward=8, views=1, videos_share=0.5, batches_per_epoch=1, optimiser=optimiser,
            loss=LossConfig(cross_entropy=0), circumplex_share=0.1,
        )  # fmt: skip
