"""Windows, clips and contexts hold the frames that the authors' published code puts into them."""

import numpy as np
import pytest

from tests.support.training.golden import load_golden
from train.data.sampling.windows import context_clips, down_sample, evaluation_clips, evaluation_context, wrapped_window


@pytest.mark.parametrize("case", range(5))
def test_a_training_window_wraps_and_then_mirrors_as_published(case: int) -> None:
    golden = load_golden("relational_sampling")
    count, size, start = (int(golden[key][case]) for key in ("seq_len_in", "seq_size", "seq_start"))
    assert wrapped_window(count, size, start).tolist() == golden[f"seq_out_{case}"].tolist()


def test_down_sampling_keeps_the_published_frames() -> None:
    golden = load_golden("relational_sampling")
    kept = down_sample(int(golden["downsample_in"]), int(golden["downsample_factor"]))
    assert kept.tolist() == golden["downsample_out"].tolist()


def test_a_training_window_is_cut_into_the_published_context_with_the_query_in_the_middle() -> None:
    golden = load_golden("relational_sampling")
    for row, window in enumerate(golden["train_input"].long().numpy()):
        clips = context_clips(window, int(golden["clip_len"]))
        assert clips[len(clips) // 2].tolist() == golden["train_clip"][row].tolist()
        assert clips.mean(axis=1).tolist() == golden["train_context_mean_frame"][row].tolist()


def test_evaluation_clips_and_their_circular_context_match() -> None:
    golden = load_golden("relational_sampling")
    clips = evaluation_clips(int(golden["eval_n_frames"]), int(golden["clip_len"]))
    context = evaluation_context(len(clips.frames), int(golden["window"]), reference=True)
    assert clips.genuine.all()
    np.testing.assert_array_equal(clips.frames, golden["eval_clips"].numpy())
    np.testing.assert_array_equal(clips.frames.mean(axis=1)[context], golden["eval_context_mean_frame"].numpy())
