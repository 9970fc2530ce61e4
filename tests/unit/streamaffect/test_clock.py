"""UTC that follows the system clock, on clocks that the test turns."""

import pytest

from streamaffect.clock import Clock, Readings, monotonic_ns

S = 1_000_000_000
HOUR = 3600 * S


class World:
    """The machine's clocks."""

    def __init__(self) -> None:
        self.monotonic_ns = 50 * S
        self.utc_ns = 1_700_000_000 * S
        self.slept_ns = 0

    def read(self) -> Readings:
        return Readings(self.monotonic_ns, self.utc_ns, self.slept_ns)

    def wait(self, seconds: float) -> None:
        self.monotonic_ns += round(seconds * S)
        self.utc_ns += round(seconds * S)

    def sleep(self, seconds: float) -> None:
        self.utc_ns += round(seconds * S)
        self.slept_ns += round(seconds * S)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock(world: World) -> Clock:
    return Clock(world.read)


def test_utc_is_carried_on_by_the_monotonic_clock(world: World, clock: Clock) -> None:
    world.wait(10.0)
    assert clock.utc(world.monotonic_ns) == world.utc_ns
    assert clock.last_step.number == 0


@pytest.mark.parametrize("by_ns", [HOUR, -HOUR, S // 4, -S // 4])
def test_a_clock_that_is_set_is_followed_at_once(world: World, clock: Clock, by_ns: int) -> None:
    world.utc_ns += by_ns
    clock.follow()
    assert clock.utc(world.monotonic_ns) == world.utc_ns
    assert (clock.last_step.number, clock.last_step.by_s) == (1, by_ns / S)


def test_a_step_says_in_which_direction_it_was(world: World, clock: Clock) -> None:
    world.utc_ns -= HOUR
    clock.follow()
    assert str(clock.last_step) == "the system clock was set 3600.000 s back"
    world.sleep(90.0)
    clock.follow()
    assert str(clock.last_step) == "the machine slept for 90.0 s"
    assert clock.last_step.number == 2


def test_a_drift_is_followed_without_a_step(world: World, clock: Clock) -> None:
    world.utc_ns += S // 50
    clock.follow()
    assert clock.utc(world.monotonic_ns) == world.utc_ns - S // 50
    for _ in range(60):
        world.wait(1.0)
        clock.follow()
    assert clock.utc(world.monotonic_ns) == world.utc_ns
    assert clock.last_step.number == 0


@pytest.mark.parametrize("by_ns", [HOUR, -HOUR, 2 * S, -2 * S])
def test_what_was_captured_before_a_step_is_as_old_as_the_monotonic_clock_says(
    world: World, clock: Clock, by_ns: int
) -> None:
    captured_ns = clock.utc(world.monotonic_ns)
    world.wait(0.04)
    world.utc_ns += by_ns
    clock.follow()
    world.wait(0.04)
    assert clock.since_ns(captured_ns, clock.utc(world.monotonic_ns)) == pytest.approx(0.08 * S)


@pytest.mark.parametrize("by_ns", [HOUR, -HOUR, 2 * S, -2 * S])
@pytest.mark.parametrize("later_s", [0.0, 1.0, 100.0])
def test_what_was_captured_after_a_step_counts_by_the_clock_that_was_set(
    world: World, clock: Clock, by_ns: int, later_s: float
) -> None:
    world.utc_ns += by_ns
    clock.follow()
    world.wait(later_s)
    captured_ns = clock.utc(world.monotonic_ns)
    world.wait(0.05)
    assert clock.since_ns(captured_ns, clock.utc(world.monotonic_ns)) == pytest.approx(0.05 * S)


def test_nothing_is_older_than_now(world: World, clock: Clock) -> None:
    assert clock.since_ns(world.utc_ns + S, world.utc_ns) == 0


def test_clocks_that_could_not_be_read_together_change_nothing(world: World) -> None:
    readings = [world.read(), None]
    clock = Clock(lambda: readings.pop(0))
    clock.follow()
    assert clock.utc(world.monotonic_ns) == world.utc_ns


def test_everybody_has_the_same_clock() -> None:
    assert Clock.now() is Clock.now()
    before_ns = Clock.now().utc(monotonic_ns())
    Clock.now().follow()
    assert Clock.now().utc(monotonic_ns()) > before_ns
