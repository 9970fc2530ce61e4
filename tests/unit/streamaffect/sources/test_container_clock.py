from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamaffect.sources.timestamps import ContainerClock


def times(stamps: list[float | None], *, fps: float | None = 25.0) -> list[float]:
    clock = ContainerClock(fps=fps)
    return [round(clock.next(stamp), 6) for stamp in stamps]


def test_sound_timestamps_pass_unchanged() -> None:
    stamps: list[float | None] = [0.0, 0.067, 0.1, 0.133, 0.5]
    assert times(stamps) == stamps


def test_a_missing_timestamp_continues_at_the_frame_rate() -> None:
    assert times([0.0, None, None, 0.12]) == [0.0, 0.04, 0.08, 0.12]


def test_a_file_without_any_timestamps_runs_at_its_frame_rate() -> None:
    assert times([None, None, None], fps=10.0) == [0.0, 0.1, 0.2]


def test_after_a_repeated_timestamp_the_next_sound_one_is_kept() -> None:
    assert times([0.0, 0.04, 0.04, 0.08]) == [0.0, 0.04, 0.06, 0.08]


def test_a_joined_recording_that_starts_again_is_shifted_behind_the_first() -> None:
    assert times([0.0, 5.0, 0.0, 0.04, 0.08]) == [0.0, 5.0, 5.04, 5.08, 5.12]


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 1e5)), min_size=1, max_size=50))
def test_time_is_strictly_increasing_whatever_the_container_says(stamps: list[float | None]) -> None:
    clock = ContainerClock(fps=30.0)
    result = [clock.next(stamp) for stamp in stamps]
    assert all(later > earlier for earlier, later in pairwise(result))
