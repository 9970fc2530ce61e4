"""Which frames are analysed where not all can be, and what makes the rate of all streams fall and rise."""

import numpy as np
import pytest

from streamaffect.messages import SkipReason
from streamaffect.pipeline.stations.pace import Gate, Pace

FPS = 25.0


class Machine:
    """Streams of 25 fps, and a machine that does so many frames a second of each of them.

    can_do: of each stream, frames a second; what is admitted beyond that is late
    """

    def __init__(
        self, can_do: dict[str, float], cap_fps: float | None = None, priorities: dict[str, float] | None = None
    ) -> None:
        self.can_do = can_do
        self.troubles: dict[str, SkipReason | None] = {}
        self.pace = Pace(cap_fps, priorities)
        self.gates = {stream: self.pace.gate(stream) for stream in can_do}
        self.second = 0
        self._start_ns = self.pace._window_ns

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            for stream, gate in self.gates.items():
                self._offer(stream, gate)
            self.second += 1
            self.pace.look(self._start_ns + self.second * 1_000_000_000, self.troubles)

    def _offer(self, stream: str, gate: Gate) -> None:
        first = round(self.second * FPS)
        admitted = [i for i in range(first, first + round(FPS)) if gate.admits(i, i / FPS)]
        done = min(len(admitted), int(self.can_do[stream]))
        for i in admitted[len(admitted) - done :]:
            gate.finished(i)


def admitted(gate: Gate, frames: int, fps: float = FPS, jitter_s: float = 0.0) -> list[int]:
    jitter = np.random.default_rng(5).uniform(-jitter_s, jitter_s, frames)
    return [i for i in range(frames) if gate.admits(i, i / fps + float(jitter[i]))]


@pytest.mark.parametrize(
    ("cap_fps", "expected"), [(12.5, 50), (25.0, 100), (20.0, 80), (8.0, 32), (1.0, 4), (60.0, 100)]
)
def test_a_cap_lets_so_many_frames_a_second_pass(cap_fps: float, expected: int) -> None:
    assert len(admitted(Gate(cap_fps), 100)) == expected


def test_half_the_rate_is_every_second_frame_even_if_a_camera_jitters() -> None:
    assert set(np.diff(admitted(Gate(12.5), 200, jitter_s=0.009)).tolist()) == {2}


def test_without_a_cap_all_frames_pass() -> None:
    gate = Gate()
    assert admitted(gate, 100) == list(range(100))
    assert gate.limit_fps is None


def test_the_first_frame_of_a_file_passes_a_cap() -> None:
    assert admitted(Gate(2.0, phase=0.9), 10)[0] == 0


def test_each_skipped_frame_has_a_reason() -> None:
    gate = Gate(12.5)
    passed = admitted(gate, 20)
    gate.finished(passed[0])
    gate.finished(passed[3])  # 1 and 2 of those that had passed were replaced by newer ones
    gate.in_trouble("engine")
    gate.finished(passed[5])
    gate.in_trouble("stale")
    gate.finished(passed[6])  # none was missed but by the cap
    gate.finished(passed[8])
    assert passed[:6] == [0, 2, 4, 6, 8, 10]
    assert +gate.why == {"cap": 8, "late": 2 + 1, "engine": 1}


def test_a_newer_frame_that_takes_the_place_of_a_waiting_one_leaves_that_one_with_its_reason() -> None:
    gate = Gate(12.5)
    assert [gate.admits(i, i / FPS) for i in range(4)] == [True, False, True, False]
    gate.finished(0)
    gate.swapped(2)
    gate.finished(3)
    assert +gate.why == {"cap": 2}


def test_with_time_for_all_frames_nothing_is_slowed_down() -> None:
    machine = Machine(dict.fromkeys("abc", 25.0))
    machine.run(20)
    assert all(not gate.pressed and gate.limit_fps is None for gate in machine.gates.values())


def test_the_detectors_look_less_often_before_the_rate_of_all_streams_falls_together() -> None:
    machine = Machine(dict.fromkeys("abc", 10.0))
    machine.run(3)
    assert [(gate.pressed, gate.limit_fps) for gate in machine.gates.values()] == [(True, None)] * 3
    machine.run(20)
    rates = {gate.limit_fps for gate in machine.gates.values()}
    assert len(rates) == 1
    assert 7.0 < (rates.pop() or 0.0) < 13.0


def test_most_of_what_is_left_out_is_left_out_evenly() -> None:
    machine = Machine(dict.fromkeys("abc", 10.0))
    machine.run(60)
    why = machine.gates["a"].why
    assert why["overload"] > 3 * why["late"]


def test_a_stream_of_priority_two_keeps_twice_the_rate_of_the_others() -> None:
    machine = Machine({"door": 16.0, "b": 8.0, "c": 8.0}, priorities={"door": 2.0})
    machine.run(30)
    door, b, c = (machine.gates[stream].limit_fps or 0.0 for stream in ("door", "b", "c"))
    assert door == pytest.approx(2 * b)
    assert b == c
    assert 5.0 < b < 11.0


def test_it_goes_back_when_there_is_time_again() -> None:
    machine = Machine(dict.fromkeys("abc", 10.0))
    machine.run(15)
    machine.can_do = dict.fromkeys("abc", 25.0)
    machine.run(90)
    assert all(not gate.pressed and gate.limit_fps is None for gate in machine.gates.values())


def test_one_slow_camera_slows_no_other_down() -> None:
    machine = Machine({"slow": 4.0, "b": 25.0, "c": 25.0})
    machine.run(30)
    assert all(not gate.pressed and gate.limit_fps is None for gate in machine.gates.values())
    assert set(+machine.gates["b"].why) == set()


def test_a_single_bad_second_changes_nothing() -> None:
    machine = Machine(dict.fromkeys("ab", 25.0))
    machine.run(5)
    machine.can_do = dict.fromkeys("ab", 5.0)
    machine.run(1)
    machine.can_do = dict.fromkeys("ab", 25.0)
    machine.run(5)
    assert not machine.gates["a"].pressed


def test_what_is_skipped_while_there_is_no_engine_says_nothing_of_the_load() -> None:
    machine = Machine(dict.fromkeys("ab", 5.0))
    machine.troubles = dict.fromkeys("ab", "engine")
    machine.run(10)
    assert not machine.gates["a"].pressed


def test_while_there_is_no_engine_the_rate_does_not_rise_either() -> None:
    machine = Machine(dict.fromkeys("ab", 10.0))
    machine.run(15)
    before = machine.gates["a"].limit_fps
    machine.troubles = dict.fromkeys("ab", "engine")
    machine.run(60)
    assert before is not None
    assert machine.gates["a"].limit_fps == before


def test_streams_of_which_the_rate_falls_do_not_all_come_at_once() -> None:
    machine = Machine(dict.fromkeys("abcd", 10.0))
    machine.run(12)
    first = {
        stream: next(i for i in range(300, 330) if gate.admits(i, i / FPS)) for stream, gate in machine.gates.items()
    }
    assert len(set(first.values())) > 1
