"""The phases, draws and updates of the clip sampler."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.data.sampling.clip_weights import ClipWeights, Phase

LENGTHS = {"short": 3, "exact": 8, "long": 40}


def sampler(**settings: int) -> ClipWeights:
    return ClipWeights(LENGTHS, frames=8, seed=7, **settings)


def test_epochs_warm_up_then_explore_then_draw() -> None:
    phases = [sampler(warm_up_epochs=2, exploration_epochs=3).phase(epoch) for epoch in range(1, 8)]
    assert phases == [Phase.WARM_UP] * 2 + [Phase.EXPLORATION] * 3 + [Phase.SOFTMAX] * 2


def test_exploration_visits_every_position_of_the_grid_once() -> None:
    clips = sampler()
    visited = [clips.draw("long", epoch) for epoch in range(4, 9)]
    assert sorted(visited) == clips.grid("long").tolist() == [0, 8, 16, 24, 32]


def test_warm_up_leaves_the_weights_alone_and_reaches_all_starts() -> None:
    clips = sampler(warm_up_epochs=400)
    drawn = {clips.draw("long", epoch) for epoch in range(1, 401)}
    clips.update("long", 3, 5.0, epoch=1)
    assert drawn == set(range(33))
    assert clips.weights("long").abs().max() == 0


@given(start=st.integers(0, 32), score=st.floats(-5, 5, width=32), epoch=st.integers(4, 12))
def test_after_a_visit_the_visited_start_has_the_score_and_far_ones_are_unchanged(
    start: int, score: float, epoch: int
) -> None:
    clips = sampler()
    clips.update("long", start, score, epoch)
    weights = clips.weights("long")
    assert weights[start].item() == pytest.approx(score, abs=1e-6)
    far = (torch.arange(33) - start).abs() >= clips.frames
    assert weights[far].abs().sum() == 0


def test_the_grid_of_a_long_video_covers_all_its_starts() -> None:
    clips = sampler()
    for start in clips.grid("long").tolist():
        clips.update("long", start, 1.0, epoch=4)
    assert clips.weights("long").min() == 1.0


def test_drawn_starts_follow_the_softmax_of_the_weights() -> None:
    clips = ClipWeights({"video": 10}, frames=8)
    clips.load_state_dict({"video": torch.tensor([0.0, 1.0, 2.0])})
    counts = Counter(clips.draw("video", epoch) for epoch in range(9, 4009))
    shares = torch.tensor([counts[start] / 4000 for start in range(3)])
    torch.testing.assert_close(shares, clips.probabilities("video"), rtol=0, atol=0.03)


def test_a_video_no_longer_than_a_clip_always_starts_at_its_beginning() -> None:
    clips = sampler()
    assert {clips.draw(video, epoch) for video in ("short", "exact") for epoch in range(1, 20)} == {0}


def test_a_resumed_sampler_goes_on_as_if_it_had_not_stopped() -> None:
    first, resumed, in_one_piece = sampler(), sampler(), sampler()
    for epoch in range(1, 12):
        first.update("long", first.draw("long", epoch), epoch / 3, epoch)
    resumed.load_state_dict(first.state_dict())
    in_one_piece.load_flat(first.flat())
    expected = [first.draw("long", epoch) for epoch in range(12, 40)]
    for other in (resumed, in_one_piece):
        assert [other.draw("long", epoch) for epoch in range(12, 40)] == expected


def test_weights_in_one_piece_are_a_copy() -> None:
    clips = sampler()
    clips.flat().fill_(1.0)
    assert clips.weights("long").abs().max() == 0
    assert len(clips.flat()) == 1 + 1 + 33


def test_another_seed_draws_other_starts() -> None:
    draws = [[ClipWeights(LENGTHS, seed=seed).draw("long", epoch) for epoch in range(1, 4)] for seed in range(6)]
    assert len({tuple(starts) for starts in draws}) > 1


def test_impossible_settings_starts_and_states_are_refused() -> None:
    clips = sampler()
    with pytest.raises(ValueError, match="one exploration epoch"):
        sampler(exploration_epochs=1)
    with pytest.raises(ValueError, match=r"none in the videos \['empty'\]"):
        ClipWeights({"empty": 0})
    with pytest.raises(ValueError, match="starts 0 to 32, found 33"):
        clips.update("long", 33, 1.0, epoch=9)
    with pytest.raises(ValueError, match="belong to other videos"):
        clips.load_state_dict({"long": torch.zeros(33)})
    with pytest.raises(ValueError, match="belong to other videos"):
        clips.load_flat(torch.zeros(33))
