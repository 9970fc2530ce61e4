import pytest

from streamaffect.sources.remote.limits import LEAST, Deadline, Limits, Patience

ALL = Limits(5.0, 5.0, 10.0)


def test_the_first_attempt_has_all_the_time_and_the_next_ones_little() -> None:
    patience = Patience(10.0)
    assert [patience.next() for _ in range(4)] == [ALL, LEAST, LEAST, LEAST]


def test_a_host_that_has_never_answered_gets_all_the_time_now_and_then() -> None:
    patience = Patience(10.0)
    attempts = [patience.next() for _ in range(9)]
    assert [number for number, limits in enumerate(attempts) if limits == ALL] == [0, 4, 8]


def test_a_host_that_has_worked_gets_a_multiple_of_what_it_has_needed() -> None:
    patience = Patience(10.0)
    patience.next()
    patience.worked(asked_s=0.5, opened_s=2.0)
    for _ in range(9):
        assert patience.next() == Limits(connect_s=2.0, answer_s=2.0, open_s=8.0)


def test_no_attempt_has_more_time_than_the_user_allows() -> None:
    patience = Patience(1.0)
    patience.worked(asked_s=9.0, opened_s=9.0)
    patience.next()
    assert patience.next() == Limits(0.5, 0.5, 1.0)


def test_a_deadline_that_is_over_says_how_long_it_was() -> None:
    deadline = Deadline(1e-6)
    with pytest.raises(TimeoutError, match=r"nothing within 1e-06 s"):
        while True:
            deadline.left_s()
