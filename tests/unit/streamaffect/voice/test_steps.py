"""The steps of a track as a joint fusion reads them."""

import numpy as np
import pytest

from streamaffect.voice.steps import StepMemory

CLIP, PROSODY = np.array([1.0, 2.0], np.float32), np.array([3.0], np.float32)


def memory(steps: int = 3) -> StepMemory:
    return StepMemory(steps, step_s=0.5, widths=(2, 1))


def test_steps_lie_a_clip_apart_and_end_now() -> None:
    steps = memory()
    for number in range(21):  # each tenth of a second
        steps.push(0.1 * number, number * CLIP, 1.0, number * PROSODY)
    window = steps.window()
    assert window.visual[:, 0].tolist() == [10, 15, 20]
    assert window.audio[:, 0].tolist() == [30, 45, 60]
    assert window.seen.all() and window.heard.all() and window.valid.all()


def test_what_was_before_the_track_is_marked_as_not_there() -> None:
    steps = memory()
    steps.push(0.0, CLIP, 1.0, None)
    steps.push(0.5, 2 * CLIP, 1.0, PROSODY)
    window = steps.window()
    assert window.valid.tolist() == [False, True, True]
    assert window.heard.tolist() == [False, False, True]
    assert window.visual[:, 0].tolist() == [0, 1, 2]


def test_a_clip_that_is_half_made_of_repeats_shows_no_face() -> None:
    steps = memory()
    for number, coverage in enumerate((1.0, 0.5, 0.4)):
        steps.push(0.5 * number, CLIP, coverage, PROSODY)
    window = steps.window()
    assert window.seen.tolist() == [True, True, False]
    assert window.visual[2].tolist() == [0, 0]


def test_a_gap_is_no_step() -> None:
    steps = memory()
    steps.push(0.0, CLIP, 1.0, PROSODY)
    steps.push(1.0, CLIP, 1.0, PROSODY)
    assert steps.window().valid.tolist() == [True, False, True]


def test_a_stream_has_the_windows_that_plain_loops_find_in_the_whole_recording() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.2, 200))
    clips, covered = rng.normal(size=(200, 2)).astype(np.float32), rng.random(200)
    steps = memory(steps=6)
    for now, time_s in enumerate(times.tolist()):
        steps.push(time_s, clips[now], covered[now], PROSODY if now % 3 else None)
        window = steps.window()
        for row in range(6):
            wanted_s = time_s - 0.5 * (5 - row)
            away = [abs(other - wanted_s) for other in times[: now + 1]]
            nearest = int(np.argmin(away))
            is_there = away[nearest] < 0.25 - 1e-6
            assert window.valid[row] == is_there
            assert window.seen[row] == (is_there and covered[nearest] >= 0.5)
            assert window.heard[row] == (is_there and nearest % 3 != 0)
            expected = clips[nearest] if window.seen[row] else np.zeros(2)
            assert window.visual[row].tolist() == expected.tolist()


def test_nothing_is_no_window() -> None:
    with pytest.raises(LookupError):
        memory().window()
