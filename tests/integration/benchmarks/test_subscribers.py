"""The benchmark of subscribers works, and sees what it is to see."""

from benchmarks.live.subscribers import one_round


def test_those_who_keep_up_beside_a_stopped_one_have_all_and_know_when_it_came() -> None:
    rate, heard = one_round([2, 1], stopped=1, messages=300, rate=300.0)
    assert 0 < rate <= 300.0
    assert [(one.received, one.lost) for one in heard] == [(300, 0)] * 3
    assert all((one.latencies_ms > 0).all() for one in heard)
