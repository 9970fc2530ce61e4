"""Votes of the frames of a video: two of the published rules, over what the stream says."""

import msgspec
import numpy as np
import pytest

from streamaffect.affect.votes import LEAST_FRAMES, VoteCounter, video_votes, votes_in_words
from streamaffect.messages import Estimate
from tests.support.recordings import estimate_at


def face(*frames: dict[str, float], track: int = 3, **changes: object) -> list[Estimate]:
    return [
        estimate_at(i / 25, seq=i, track=track, outputs={"compound": values}, **changes)
        for i, values in enumerate(frames)
    ]


MIXED = [{"happily_surprised": 0.5, "sadly_angry": 0.1}] * 8 + [{"happily_surprised": 0.0, "sadly_angry": 0.2}] * 4


def test_the_class_of_most_frames_wins_and_means_are_over_all() -> None:
    (votes,) = video_votes(face(*MIXED)).values()
    assert (votes.majority, votes.frames) == ("happily_surprised", 12)
    assert votes.shares == {"happily_surprised": pytest.approx(2 / 3), "sadly_angry": pytest.approx(1 / 3)}
    assert votes.means["sadly_angry"] == pytest.approx((8 * 0.1 + 4 * 0.2) / 12)
    assert votes.clear == pytest.approx(2 / 3)
    assert votes_in_words(votes) == "compound: happily surprised, largest in 67 % of 12 frames, clear in 67 %"


def test_of_equal_classes_the_one_that_came_first_wins_as_in_the_published_rule() -> None:
    one, other = {"a": 0.5, "b": 0.4}, {"a": 0.3, "b": 0.4}
    assert video_votes(face(*[other, one] * 6))["clip", 3].majority == "b"
    assert video_votes(face(*[one, other] * 6))["clip", 3].majority == "a"


def test_the_majority_is_that_of_the_method_that_trains() -> None:
    pytest.importorskip("torch", reason="training is not installed")
    import torch

    from train.methods.compound.votes import video_classes

    logits = np.random.default_rng(5).normal(size=(60, 7)).astype(np.float32)
    frames = [{str(k): float(value) for k, value in enumerate(row)} for row in logits]
    expected = int(video_classes(torch.from_numpy(logits), torch.tensor([60]), "majority")[0])
    assert video_votes(face(*frames))["clip", 3].majority == str(expected)


def test_hidden_faces_refinements_and_faces_seen_too_briefly_do_not_vote() -> None:
    assert video_votes(face(*MIXED, status="held")) == {}
    assert video_votes(face(*MIXED, refines=0)) == {}
    assert video_votes(face(*MIXED[: LEAST_FRAMES - 1])) == {}
    assert video_votes([estimate_at(0)]) == {}


def test_where_no_class_was_ever_clear_the_words_say_so() -> None:
    (votes,) = video_votes(face(*[{"sadly_angry": 0.02}] * 12)).values()
    assert votes_in_words(votes).startswith("compound: none was ever clear (most often sadly angry")


def test_each_face_of_each_stream_votes_for_itself_and_is_counted_once() -> None:
    counter = VoteCounter()
    for estimate in [*face(*MIXED, track=2), *face(*MIXED, track=1), *face(*MIXED, stream="other")]:
        counter.take(estimate)
    assert [track for track, _ in counter.pop("clip")] == [1, 2]
    assert list(counter.pop("clip")) == []
    assert [track for track, _ in counter.pop("other")] == [3]
    assert msgspec.json.encode(video_votes(face(*MIXED))["clip", 3])
