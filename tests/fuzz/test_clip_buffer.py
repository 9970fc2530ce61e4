"""The rolling buffer as a state machine, held against a plain reading of what a clip and a context are."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streamaffect.affect.clips import ClipBuffer
from streamaffect.runtime.manifest import ClipSpec, ContextSpec
from tests.fuzz.effort import machine_effort
from tests.support.clip_oracle import Geometry, clip_at, context_at

TICK_S = 0.001


class ClipBufferMachine(RuleBasedStateMachine):
    """Faces come, are hidden for a while, and go; each clip and context is what the definition says.

    A feature's value is its number among all features, and a clip's vector its number among all clips.
    """

    @initialize(
        frames=st.integers(1, 6),
        half_period=st.integers(5, 60),
        past=st.integers(0, 4),
        start=st.integers(-(10**6), 10**9),
    )
    def begin(self, frames: int, half_period: int, past: int, start: int) -> None:
        self.geometry = Geometry(frames, 2 * half_period, past, future=0)
        clip = ClipSpec(frames, self.geometry.period * TICK_S)
        self.buffer = ClipBuffer(clip, ContextSpec(past, 0), feature_dim=2, clip_dim=1)
        self.now = start
        self.forget()

    def forget(self) -> None:
        self.features: list[int] = []  # when each was seen, of those since the track began
        self.first_feature = getattr(self, "count", 0)
        self.clips: list[int] = []  # when each ends
        self.first_clip = getattr(self, "clip_count", 0)
        self.count, self.clip_count = self.first_feature, self.first_clip

    @rule(wait=st.integers(1, 80))
    def see(self, wait: int) -> None:
        self.push(wait)

    @rule(wait=st.integers(1, 1500))
    def see_after_a_while(self, wait: int) -> None:
        self.push(wait)

    def push(self, wait: int) -> None:
        self.now += wait
        is_gap = bool(self.features) and self.now - self.features[-1] > self.geometry.length
        number = self.count
        if is_gap:
            self.forget()
        value = np.array([number, -number], np.float32)
        assert self.buffer.push(time_s=self.now * TICK_S, feature=value) == is_gap
        self.features.append(self.now)
        self.count = number + 1
        self.look()

    @precondition(lambda self: self.features)
    @rule(share=st.integers(1, 100))
    def look_while_the_face_is_hidden(self, share: int) -> None:
        latest = self.features[-1] + self.geometry.length  # later than that, its track is given up
        self.now += max(0, (latest - self.now) * share // 100)
        if not self.clips or self.now > self.clips[-1]:
            self.look()

    def look(self) -> None:
        clip = self.buffer.clip(end_s=self.now * TICK_S)
        expected = clip_at(self.features, self.now, self.geometry)
        assert clip.features[:, 0].tolist() == [self.first_feature + row for row in expected.features]
        assert clip.genuine.tolist() == expected.genuine
        assert clip.coverage == pytest.approx(expected.coverage)
        self.buffer.push_clip(end_s=self.now * TICK_S, vector=np.array([self.clip_count], np.float32))
        self.clips.append(self.now)
        self.clip_count += 1
        context = self.buffer.context(end_s=self.now * TICK_S)
        wanted = context_at(self.clips, self.features[0], self.now, self.geometry)
        assert context.clips[:, 0].tolist() == [self.first_clip + row for row in wanted.clips]
        assert context.valid.tolist() == wanted.valid
        assert context.fill == pytest.approx(wanted.fill)

    @rule()
    def reset(self) -> None:
        self.buffer.reset()
        self.forget()

    @precondition(lambda self: self.features)
    @rule(back=st.integers(0, 1000))
    def time_that_stands_still_is_refused_and_changes_nothing(self, back: int) -> None:
        earlier_s = (self.features[-1] - back) * TICK_S
        with pytest.raises(ValueError, match="time must increase"):
            self.buffer.push(time_s=earlier_s, feature=np.zeros(2, np.float32))
        with pytest.raises(ValueError, match="time must increase"):
            self.buffer.push(time_s=float("nan"), feature=np.zeros(2, np.float32))

    @invariant()
    def it_is_empty_before_the_first_feature_alone(self) -> None:
        if hasattr(self, "buffer"):
            assert self.buffer.is_empty == (not self.features)


def test_every_clip_and_context_is_what_its_definition_says() -> None:
    run_state_machine_as_test(ClipBufferMachine, settings=machine_effort)
