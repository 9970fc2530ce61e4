import pytest

from streamaffect.sinks.zmq import allowances
from streamaffect.sinks.zmq.allowances import BURST_BYTES, MOST_HOSTS, REFILL_BYTES_PER_S, Allowances


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(allowances, "time", clock)
    return clock


def test_a_host_that_has_spent_all_gets_nothing_until_some_has_come_back(clock: Clock) -> None:
    hosts = Allowances()
    assert hosts.spend("192.0.2.1", BURST_BYTES)
    assert not hosts.spend("192.0.2.1", 1)
    clock.now_s += 10 / REFILL_BYTES_PER_S
    assert hosts.spend("192.0.2.1", 1)


def test_what_was_refused_costs_nothing_more(clock: Clock) -> None:
    hosts = Allowances()
    assert hosts.spend("192.0.2.1", BURST_BYTES)
    assert not any(hosts.spend("192.0.2.1", 256) for _ in range(1000))
    clock.now_s += 1.0
    assert hosts.spend("192.0.2.1", 256)


def test_one_host_takes_nothing_from_another(clock: Clock) -> None:
    hosts = Allowances()
    assert hosts.spend("192.0.2.1", BURST_BYTES)
    assert hosts.spend("192.0.2.2", 1)
    assert hosts.spend("", 1)  # of an ipc socket


@pytest.mark.parametrize(
    ("one", "same"),
    [("2001:db8::1", "2001:db8::ffff:1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::2%eth1")],
)
def test_the_addresses_of_one_computer_are_one_host(clock: Clock, one: str, same: str) -> None:
    hosts = Allowances()
    assert hosts.spend(one, BURST_BYTES)
    assert not hosts.spend(same, 1)


def test_hosts_without_number_are_not_all_remembered(clock: Clock) -> None:
    hosts = Allowances()
    for number in range(MOST_HOSTS + 100):
        hosts.spend(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
    assert len(hosts._left) == MOST_HOSTS
