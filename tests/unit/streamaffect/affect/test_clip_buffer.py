"""The rolling buffer of context clips, state by state, and held against a brute-force reading of its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamaffect.affect.clips import ClipBuffer
from streamaffect.runtime.manifest import ClipSpec, ContextSpec
from streamaffect.types import FloatArray
from tests.support.clip_oracle import Geometry, clip_at, context_at, run_start

PERIOD_S = 0.25
FRAMES = 4  # one clip is a second
TICK_S = 0.001


def feature(value: float) -> FloatArray:
    return np.array([value, -value], np.float32)


def make_buffer(geometry: Geometry, tick_s: float = TICK_S) -> ClipBuffer:
    clip = ClipSpec(geometry.frames, geometry.period * tick_s)
    return ClipBuffer(clip, ContextSpec(geometry.past, geometry.future), feature_dim=2, clip_dim=1)


@pytest.fixture
def buffer() -> ClipBuffer:
    return ClipBuffer(ClipSpec(FRAMES, PERIOD_S), ContextSpec(past=2, future=0), feature_dim=2, clip_dim=1)


def push(buffer: ClipBuffer, *times_s: float) -> None:
    """Features whose value is their time."""
    for time_s in times_s:
        buffer.push(time_s=time_s, feature=feature(time_s))


def push_clips(buffer: ClipBuffer, *ends_s: float) -> None:
    """A feature and a clip vector at each time; the vector's value is the time."""
    for end_s in ends_s:
        push(buffer, end_s)
        buffer.push_clip(end_s=end_s, vector=np.array([end_s], np.float32))


def samples(buffer: ClipBuffer, end_s: float) -> list[float]:
    values: list[float] = buffer.clip(end_s=end_s).features[:, 0].tolist()
    return values


def test_a_regular_stream_gives_the_last_frames_oldest_first(buffer: ClipBuffer) -> None:
    push(buffer, 0, 0.25, 0.5, 0.75, 1.0)
    clip = buffer.clip(end_s=1.0)
    assert clip.features.tolist() == [[0.25, -0.25], [0.5, -0.5], [0.75, -0.75], [1.0, -1.0]]
    assert clip.coverage == 1.0
    assert clip.end_s == 1.0


def test_a_faster_camera_is_sampled_at_the_period(buffer: ClipBuffer) -> None:
    push(buffer, *(i / 16 for i in range(17)))
    assert samples(buffer, 1.0) == [0.25, 0.5, 0.75, 1.0]


def test_an_irregular_stream_gives_the_nearest_frames(buffer: ClipBuffer) -> None:
    push(buffer, 0.2, 0.55, 0.7, 0.8, 1.0)
    clip = buffer.clip(end_s=1.0)
    assert clip.features[:, 0].tolist() == pytest.approx([0.2, 0.55, 0.7, 1.0])
    assert clip.genuine.all()


def test_of_two_equally_near_frames_the_earlier_is_taken(buffer: ClipBuffer) -> None:
    push(buffer, 0.25, 0.375, 0.625, 0.75, 1.0)
    assert samples(buffer, 1.0) == [0.25, 0.375, 0.75, 1.0]


def test_a_hole_is_filled_with_the_nearest_earlier_feature(buffer: ClipBuffer) -> None:
    push(buffer, 0, 0.25, 0.75)
    clip = buffer.clip(end_s=0.75)
    assert clip.features[:, 0].tolist() == [0, 0.25, 0.25, 0.75]
    assert clip.genuine.tolist() == [True, True, False, True]
    assert clip.coverage == 0.75


def test_a_hole_is_never_filled_with_a_nearer_later_feature(buffer: ClipBuffer) -> None:
    push(buffer, 0, 0.65, 0.75, 1.0)
    assert samples(buffer, 1.0)[:2] == [0, 0]


def test_half_a_period_away_is_genuine_and_a_millisecond_more_is_not(buffer: ClipBuffer) -> None:
    push(buffer, 0.125, 1.0)
    assert buffer.clip(end_s=1.0).genuine.tolist() == [True, False, False, True]
    buffer.reset()
    push(buffer, 0.124, 1.0)
    assert buffer.clip(end_s=1.0).genuine.tolist() == [False, False, False, True]


def test_the_oldest_sample_may_be_filled_from_before_the_clip(buffer: ClipBuffer) -> None:
    push(buffer, 0, 1.0)
    clip = buffer.clip(end_s=1.0)
    assert clip.features[:, 0].tolist() == [0, 0, 0, 1]
    assert clip.coverage == 0.25


def test_before_the_start_of_a_track_its_first_feature_stands_in(buffer: ClipBuffer) -> None:
    push(buffer, 5.0)
    clip = buffer.clip(end_s=5.0)
    assert clip.features[:, 0].tolist() == [5, 5, 5, 5]
    assert clip.genuine.tolist() == [False, False, False, True]


def test_while_a_face_is_hidden_its_clip_runs_on_with_less_coverage(buffer: ClipBuffer) -> None:
    push(buffer, 0, 0.25, 0.5, 0.75)
    clip = buffer.clip(end_s=1.25)
    assert clip.features[:, 0].tolist() == [0.5, 0.75, 0.75, 0.75]
    assert clip.coverage == 0.5


def test_an_empty_buffer_has_neither_clip_nor_context(buffer: ClipBuffer) -> None:
    assert buffer.is_empty
    with pytest.raises(LookupError, match="no feature"):
        buffer.clip(end_s=0)
    with pytest.raises(LookupError, match="no clip"):
        buffer.context(end_s=0)


def test_a_gap_longer_than_one_clip_starts_the_track_anew(buffer: ClipBuffer) -> None:
    push_clips(buffer, 0, 1.0)
    assert buffer.push(time_s=2.001, feature=feature(2.001))
    clip = buffer.clip(end_s=2.001)
    assert clip.features[:, 0].tolist() == pytest.approx([2.001] * 4)
    with pytest.raises(LookupError):
        buffer.context(end_s=1.0)


def test_a_gap_of_exactly_one_clip_does_not(buffer: ClipBuffer) -> None:
    push_clips(buffer, 0, 1.0)
    assert not buffer.push(time_s=2.0, feature=feature(2))
    assert samples(buffer, 2.0) == [1, 1, 1, 2]
    assert buffer.context(end_s=1.0).valid.any()


def test_the_first_feature_of_a_track_is_no_new_start(buffer: ClipBuffer) -> None:
    assert not buffer.push(time_s=100.0, feature=feature(0))


def test_after_a_new_start_clips_from_before_are_not_context(buffer: ClipBuffer) -> None:
    push_clips(buffer, 0, 1.0, 2.0, 3.5)
    assert buffer.context(end_s=3.5).valid.tolist() == [False, False, True]


@pytest.mark.parametrize("time_s", [1.0, 0.5])
def test_time_that_stands_still_or_goes_back_is_refused(buffer: ClipBuffer, time_s: float) -> None:
    push_clips(buffer, 0, 1.0)
    with pytest.raises(ValueError, match="time must increase"):
        push(buffer, time_s)
    with pytest.raises(ValueError, match="time must increase"):
        buffer.push_clip(end_s=time_s, vector=np.zeros(1, np.float32))
    assert samples(buffer, 1.0) == [0, 0, 0, 1]


def test_context_clips_end_whole_clip_lengths_before(buffer: ClipBuffer) -> None:
    push_clips(buffer, *(i / 4 for i in range(13)))
    context = buffer.context(end_s=3.0)
    assert context.clips.ravel().tolist() == [1.0, 2.0, 3.0]
    assert context.fill == 1.0


def test_missing_context_repeats_the_oldest_clip_and_is_invalid(buffer: ClipBuffer) -> None:
    push_clips(buffer, 10.0, 10.5, 11.0)
    context = buffer.context(end_s=11.0)
    assert context.clips.ravel().tolist() == [10.0, 10.0, 11.0]
    assert context.valid.tolist() == [False, True, True]
    assert context.fill == pytest.approx(2 / 3)


def test_a_context_clip_within_half_a_clip_counts_and_a_further_one_does_not(buffer: ClipBuffer) -> None:
    push_clips(buffer, 0, 0.5625, 1.5, 2.0)
    assert buffer.context(end_s=2.0).clips.ravel().tolist() == [0.0, 0.5625, 2.0]
    buffer.reset()
    push_clips(buffer, 0, 0.5, 1.5, 2.0)
    assert buffer.context(end_s=2.0).valid.tolist() == [True, False, True]


def test_no_context_reaches_to_before_the_first_feature(buffer: ClipBuffer) -> None:
    push_clips(buffer, 0.1, 1.0)
    assert buffer.context(end_s=1.0).valid.tolist() == [False, False, True]


def test_the_future_is_invalid_until_it_has_come() -> None:
    buffer = make_buffer(Geometry(frames=4, period=250, past=1, future=2))
    push_clips(buffer, 0, 1.0)
    assert buffer.context(end_s=1.0).valid.tolist() == [True, True, False, False]
    push_clips(buffer, 2.0, 3.0)
    context = buffer.context(end_s=1.0)
    assert context.clips.ravel().tolist() == [0, 1, 2, 3]
    assert context.fill == 1.0


def test_with_clips_of_one_frame_no_clip_is_its_own_future() -> None:
    buffer = make_buffer(Geometry(frames=1, period=250, past=1, future=1))
    push_clips(buffer, 0, 0.25)
    assert buffer.context(end_s=0.25).valid.tolist() == [True, True, False]


def test_a_clip_that_was_never_pushed_has_no_context(buffer: ClipBuffer) -> None:
    push_clips(buffer, 0, 1.0)
    with pytest.raises(LookupError, match=r"5.0 s was not pushed"):
        buffer.context(end_s=5.0)


def test_tracks_do_not_share_anything() -> None:
    left, right = (make_buffer(Geometry(frames=4, period=250, past=0, future=0)) for _ in range(2))
    push(left, 0, 0.25)
    push(right, 7.0)
    assert samples(left, 0.25) == [0, 0, 0, 0.25]
    assert samples(right, 7.0) == [7, 7, 7, 7]


def test_tens_of_thousands_of_frames_change_neither_results_nor_memory() -> None:
    geometry = Geometry(frames=8, period=80, past=4, future=0)
    buffer = make_buffer(geometry)
    rng = np.random.default_rng(7)
    times = np.cumsum(rng.integers(20, 60, size=30_000)).tolist()
    for i, time in enumerate(times):
        buffer.push(time_s=time * TICK_S, feature=feature(i))
        buffer.push_clip(end_s=time * TICK_S, vector=np.array([i], np.float32))
        if i % 1000 == 999:
            recent = range(max(0, i - 400), i + 1)
            near = [times[row] for row in recent]
            clip, context = buffer.clip(end_s=time * TICK_S), buffer.context(end_s=time * TICK_S)
            wanted = clip_at(near, time, geometry)
            assert clip.features[:, 0].tolist() == [recent[row] for row in wanted.features]
            assert clip.genuine.tolist() == wanted.genuine
            expected = context_at(near, times[0], time, geometry)
            assert context.clips.ravel().tolist() == [recent[row] for row in expected.clips]
            assert context.valid.all()
    # 3.3 s of clips at no more than 50 frames a second, and twice that for compaction's sake
    rings = (buffer._features, buffer._clips)
    assert all(len(ring) <= 3.4 / 0.02 for ring in rings)
    assert all(ring._times.size <= 512 for ring in rings)


geometries = st.builds(
    Geometry,
    frames=st.integers(1, 6),
    period=st.integers(2, 90),
    past=st.integers(0, 4),
    future=st.integers(0, 3),
)


def test_a_clip_that_is_refined_late_still_finds_its_whole_past() -> None:
    """A gap of almost one clip before the future comes must not push the oldest context clip out of the buffer."""
    buffer = make_buffer(Geometry(frames=2, period=24, past=1, future=1))
    ends = [1, 5, 6, 7, 8, 51, 98, 146]
    push_clips(buffer, *(end * TICK_S for end in ends))
    assert buffer.context(end_s=0.051).clips.ravel().tolist() == pytest.approx([0.001, 0.051, 0.098])


@settings(deadline=None)
@given(geometry=geometries, data=st.data())
def test_every_clip_is_what_the_definition_says(geometry: Geometry, data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(1, 2 * geometry.length), min_size=1, max_size=40))
    hidden_for = data.draw(st.integers(0, 2 * geometry.length))
    buffer = make_buffer(geometry)
    times: list[int] = []
    for step in steps:
        times.append((times[-1] if times else 0) + step)
        starts_anew = buffer.push(time_s=times[-1] * TICK_S, feature=feature(len(times) - 1))
        assert starts_anew == (len(times) > 1 and run_start(times, geometry) == len(times) - 1)
        for end in (times[-1], times[-1] + hidden_for):
            clip = buffer.clip(end_s=end * TICK_S)
            expected = clip_at(times, end, geometry)
            assert clip.features[:, 0].tolist() == expected.features
            assert clip.genuine.tolist() == expected.genuine
            assert clip.coverage == pytest.approx(expected.coverage)


@settings(deadline=None)
@given(geometry=geometries, data=st.data())
def test_every_context_is_what_the_definition_says(geometry: Geometry, data: st.DataObject) -> None:
    """A clip ends with each feature; asked for are the newest one and those whose future has just come."""
    steps = data.draw(st.lists(st.integers(1, geometry.length), min_size=1, max_size=40))
    buffer = make_buffer(geometry)
    times: list[int] = []
    for step in steps:
        times.append((times[-1] if times else 0) + step)
        buffer.push(time_s=times[-1] * TICK_S, feature=feature(0))
        buffer.push_clip(end_s=times[-1] * TICK_S, vector=np.array([len(times) - 1], np.float32))
        lookahead = geometry.future * geometry.length
        previous = times[-2] if len(times) > 1 else times[-1]
        due = [end for end in times if previous < end + lookahead <= times[-1]]
        for end in (times[-1], *due):
            context = buffer.context(end_s=end * TICK_S)
            expected = context_at(times, times[0], end, geometry)
            assert context.clips.ravel().tolist() == expected.clips
            assert context.valid.tolist() == expected.valid
            assert context.fill == pytest.approx(expected.fill)
