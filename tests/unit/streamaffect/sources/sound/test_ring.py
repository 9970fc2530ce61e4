"""The ring of sound against a plain array of everything."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, SoundBlock

UNIT = 400  # samples; small numbers of these keep the examples readable


def block(first: int, count: int, *, heard: bool = True, value: float = 1.0) -> SoundBlock:
    samples = np.full(count, value if heard else 0.0, np.float32)
    return SoundBlock(samples, first / SOUND_RATE_HZ, 0, heard)


def test_a_window_reaches_beyond_what_is_there_on_both_sides() -> None:
    ring = SoundRing(1.0)
    ring.push(block(16_000, 8_000))
    window = ring.read(0.9, 1.6)
    assert (window.start_s, len(window.samples)) == (0.9, 11_200)
    assert window.heard.tolist() == [False] * 1600 + [True] * 8000 + [False] * 1600
    assert np.array_equal(window.samples, window.heard)
    assert round(window.share_heard, 3) == 0.714
    assert (ring.start_s, ring.end_s) == (1.0, 1.5)


def test_an_empty_ring_has_heard_nothing() -> None:
    ring = SoundRing()
    assert (ring.start_s, ring.end_s) == (None, None)
    assert ring.read(3.0, 4.0).share_heard == 0.0
    assert len(ring.read(4.0, 3.0).samples) == 0


def test_an_hour_of_gap_costs_what_is_kept_and_no_more() -> None:
    ring = SoundRing(1.0)
    ring.push(block(0, 100))
    zeros = np.broadcast_to(np.zeros(1, np.float32), 3600 * SOUND_RATE_HZ)
    ring.push(SoundBlock(zeros, 100 / SOUND_RATE_HZ, 0, heard=False))
    ring.push(block(100 + len(zeros), 200))
    end_s = (300 + len(zeros)) / SOUND_RATE_HZ
    assert ring.end_s == end_s
    assert ring.read(end_s - 2.0, end_s).heard.sum() == 200


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 14), st.booleans()), max_size=25), st.integers(0, 70))
def test_any_window_is_that_of_an_array_of_everything(pushed: list[tuple[int, int, bool]], at: int) -> None:
    keep = 10 * UNIT
    ring = SoundRing(keep / SOUND_RATE_HZ)
    samples, heard = np.zeros(80 * UNIT, np.float32), np.zeros(80 * UNIT, np.bool_)
    end = 0
    for number, (first, count, is_heard) in enumerate(pushed):
        ring.push(block(first * UNIT, count * UNIT, heard=is_heard, value=number + 1.0))
        begin, stop = max(end, first * UNIT), (first + count) * UNIT
        if begin < stop:
            samples[begin:stop] = number + 1.0 if is_heard else 0.0
            heard[begin:stop] = is_heard
            end = stop
    kept = np.arange(80 * UNIT) >= end - keep
    window = ring.read(at * UNIT / SOUND_RATE_HZ, (at + 7) * UNIT / SOUND_RATE_HZ)
    place = slice(at * UNIT, (at + 7) * UNIT)
    assert np.array_equal(window.samples, (samples * kept)[place])
    assert np.array_equal(window.heard, (heard & kept)[place])
