"""What the benchmarks of running streams conclude from what they see."""

import pytest

from benchmarks.live.live_run import Seen
from benchmarks.live.streams import most_carried


@pytest.mark.parametrize("carried", [0, 1, 2, 3, 5, 8, 13, 16])
def test_the_largest_number_that_is_carried_is_found_in_few_steps(carried: int) -> None:
    asked: list[int] = []

    def carries(count: int) -> bool:
        asked.append(count)
        return count <= carried

    assert most_carried(carries, 16) == carried
    assert len(asked) == len(set(asked)) <= 9
    assert all(1 <= count <= 16 for count in asked)


def test_what_a_cap_leaves_out_is_not_skipped() -> None:
    seen = Seen(to_first_s=1.0, frames=200, skipped={"cap": 100, "late": 1, "overload": 3})
    assert seen.skipped_share == pytest.approx(0.02)
