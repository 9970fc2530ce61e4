"""When a face's neutral is taken, when it is refused, and what is relative to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamaffect.affect.baseline import Baseline, Moments, Refusal, judge
from streamaffect.affect.baselines import Baselines
from streamaffect.affect.profile import load_profile, write_profile
from streamaffect.errors import ConfigError
from streamaffect.feed.wire import decode, encode
from streamaffect.messages import Estimate, Event, Message
from streamaffect.runtime.bundle import load_bundle
from streamaffect.types import Box
from tests.support.bundles import write_bundle
from tests.support.recordings import estimate_at

NEUTRAL = {"emotions": {"neutral": 0.8, "happiness": 0.1, "sadness": 0.1}}
NOISE = np.random.default_rng(3).normal(0.0, 0.03, 200).tolist()


def face(seconds: float = 5.0, *, start_s: float = 0.0, **changes: Any) -> list[Estimate]:
    """A face at rest at 20 pictures a second."""
    return [
        estimate_at(
            start_s + number / 20,
            seq=number,
            **({"valence": 0.2 + NOISE[number], "arousal": -0.1 - NOISE[number], "outputs": NEUTRAL} | changes),
        )
        for number in range(round(seconds * 20) + 1)
    ]


def reason(estimates: Sequence[Estimate]) -> str:
    found = judge(estimates, 5.0)
    assert isinstance(found, Refusal)
    return found.reason


def test_the_mean_and_spread_of_a_face_at_rest_are_taken() -> None:
    found = judge(face(), 5.0)
    assert isinstance(found, Baseline)
    assert found.valence.mean == pytest.approx(0.2 + np.mean(NOISE[:101]), abs=1e-5)
    assert found.valence.spread == pytest.approx(np.std(NOISE[:101]), abs=1e-5)
    assert (found.frames, found.seconds) == (101, 5.0)


def test_too_few_good_pictures_are_refused() -> None:
    assert "too few good pictures: 0 of 101" in reason(face(quality=0.1))
    assert "too few good pictures: 0 of 101" in reason(face(status="warming"))
    assert "over 2.0 of 5 s" in reason(face(2.0))
    assert "too few" in reason([])


def test_a_face_that_moves_smiles_or_changes_is_refused_with_the_reason() -> None:
    moving = [
        msgspec.structs.replace(one, box=Box(0.1 + 0.008 * number, 0.2, 0.2, 0.3)) for number, one in enumerate(face())
    ]
    assert "too much movement" in reason(moving)
    assert "the face smiles (happiness 0.90)" in reason(face(outputs={"emotions": {"neutral": 0.1, "happiness": 0.9}}))
    assert "shows anger" in reason(face(outputs={"emotions": {"neutral": 0.2, "anger": 0.8}}))
    changing = [msgspec.structs.replace(one, valence=number / 101) for number, one in enumerate(face())]
    assert "the expression changed" in reason(changing)


def test_relative_values_stand_beside_the_raw_ones_with_an_interval_that_holds_both_errors() -> None:
    own = Baseline(valence=Moments(0.2, 0.05), arousal=Moments(-0.1, 0.0), frames=100, seconds=5.0)
    raw = estimate_at(0.0, valence=0.5, valence_interval=(0.4, 0.7), arousal=0.0, arousal_interval=(-0.2, 0.3))
    made = own.relative(raw)
    assert (made.valence, made.valence_interval) == (0.5, (0.4, 0.7))
    assert made.valence_relative == pytest.approx(0.3)
    low, high = made.valence_relative_interval or (0.0, 0.0)
    assert low == pytest.approx(0.3 - np.hypot(0.1, 1.645 * 0.05))
    assert high == pytest.approx(0.3 + np.hypot(0.2, 1.645 * 0.05))
    assert made.arousal_relative_interval == pytest.approx((-0.1, 0.4))
    sent = decode(encode(made))
    assert isinstance(sent, Estimate)
    assert sent.valence_relative == 0.3
    nothing = own.relative(msgspec.structs.replace(raw, valence=None, valence_interval=None))
    assert (nothing.valence_relative, nothing.valence_relative_interval) == (None, None)


def born(track: int) -> Event:
    return Event(stream="clip", t_ns=0, event="track_born", track=track)


def lost(track: int) -> Event:
    return Event(stream="clip", t_ns=0, event="track_lost", track=track)


def told(messages: Sequence[Message]) -> list[str]:
    return [one.event for one in messages if isinstance(one, Event) and one.event.startswith("baseline")]


def states(messages: Sequence[Message]) -> list[object]:
    return [one.baseline for one in messages if isinstance(one, Estimate)]


def test_where_nothing_is_asked_for_not_a_byte_changes() -> None:
    plain: list[Message] = [born(3), *face(), lost(3)]
    assert [encode(one) for one in Baselines().apply(plain)] == [encode(one) for one in plain]


def test_a_baseline_is_taken_by_itself_and_forgotten_with_its_face() -> None:
    made = list(
        Baselines(automatic_s=2.0).apply([born(3), *face(3.0), lost(3), born(4), *face(1.0, track=4, start_s=9)])
    )
    assert told(made) == ["baseline_taken"]
    assert states(made) == ["collecting"] * 41 + ["taken"] * 20 + ["collecting"] * 21


def test_one_that_was_refused_is_tried_again_by_itself() -> None:
    smile = {"emotions": {"neutral": 0.0, "happiness": 1.0}}
    made = list(Baselines(automatic_s=2.0).apply([born(3), *face(2.0, outputs=smile), *face(2.5, start_s=2.05)]))
    assert told(made) == ["baseline_refused", "baseline_taken"]


def test_one_that_was_asked_for_is_taken_once_and_cleared() -> None:
    baselines = Baselines()
    stream: list[Message] = [born(3), *face(9.0)]
    passed = baselines.apply(stream)
    assert states([next(passed), next(passed)]) == [msgspec.UNSET]
    baselines.start(2.0, stream=None, origin="ctl")
    rest = [next(passed) for _ in range(60)]
    assert told(rest) == ["baseline_started", "baseline_taken"]
    assert states(rest)[-1] == "taken"
    baselines.clear(stream=None, origin="ctl")
    last = list(passed)
    assert told(last) == ["baseline_cleared"]
    assert set(states(last)) == {"none"}


def test_nobody_in_view_is_refused() -> None:
    baselines = Baselines()
    passed = baselines.apply([born(3), lost(3), Event(stream="clip", t_ns=0, event="source_lost")])
    next(passed), next(passed)
    baselines.start(2.0, stream=None, origin="ctl")
    assert told(list(passed)) == ["baseline_refused"]


def test_a_profile_is_of_whoever_is_alone_and_the_first_one_is_kept() -> None:
    kept: list[Baseline] = []
    made = list(
        Baselines(automatic_s=2.0, keep=kept.append).apply(
            [born(3), *face(2.5), lost(3), born(4), *face(0.5, track=4), born(5), *face(0.5, track=4)]
        )
    )
    assert len(kept) == 1
    assert states(made)[51:62] == ["taken"] * 11, "the next one who is alone"
    assert "taken" not in states(made)[62:], "of two faces nobody knows whose it is"


def test_a_profile_is_kept_for_its_owner_alone_and_one_of_another_bundle_is_refused(tmp_path: Path) -> None:
    ours = load_bundle(write_bundle(tmp_path / "ours"))
    other = load_bundle(write_bundle(tmp_path / "other", frames=8))
    path = tmp_path / "anna.json"
    assert load_profile(path, ours) is None
    baseline = judge(face(), 5.0)
    assert isinstance(baseline, Baseline)
    write_profile(path, baseline, ours)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_profile(path, ours) == baseline
    with pytest.raises(
        ConfigError, match=r"anna\.json: was taken with the bundle .* take a new baseline in another file"
    ):
        load_profile(path, other)
    with pytest.raises(FileExistsError):
        write_profile(path, baseline, ours)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="is no profile"):
        load_profile(path, ours)
