"""Clips and contexts as rows of indices."""

import numpy as np

from streamaffect.runtime.manifest import ClipSpec, ContextSpec
from train.data.clips import index_sequence, index_stills, join

CLIP, CONTEXT = ClipSpec(frames=3, period_s=0.1), ContextSpec(past=1, future=0)


def test_a_clip_takes_its_frames_a_period_apart_and_ends_at_its_own() -> None:
    index = index_sequence(np.arange(12) * 0.05, CLIP, CONTEXT)
    assert index.samples[10].tolist() == [6, 8, 10]


def test_the_context_is_the_clip_one_clip_length_before() -> None:
    index = index_sequence(np.arange(12) * 0.1, CLIP, CONTEXT)
    assert index.context[7].tolist() == [4, 7]
    assert index.valid[7].tolist() == [True, True]


def test_at_the_start_of_a_sequence_there_is_no_context_yet() -> None:
    index = index_sequence(np.arange(12) * 0.1, CLIP, CONTEXT)
    assert index.samples[0].tolist() == [0, 0, 0]
    assert index.valid[1].tolist() == [False, True]


def test_a_still_is_a_clip_of_equal_frames_with_itself_as_context() -> None:
    index = index_stills(4, CLIP, CONTEXT)
    assert index.samples[2].tolist() == [2, 2, 2]
    assert index.context[2].tolist() == [2, 2]
    assert index.valid[2].tolist() == [False, True]


def test_joined_sequences_never_reach_into_each_other() -> None:
    parts = [index_sequence(np.arange(5) * 0.1, CLIP, CONTEXT), index_sequence(np.arange(6) * 0.1, CLIP, CONTEXT)]
    joined = join(parts)
    assert joined.samples[:5].max() < 5
    assert joined.samples[5:].min() == 5
    assert joined.context[5:].min() == 5
    assert len(joined) == 11
