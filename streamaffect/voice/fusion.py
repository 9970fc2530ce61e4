"""A voice in an estimate: beside the face while that is seen, in its place as far as it is not.

A face that is seen answers alone, to the last bit. While it is hidden, its last clip runs empty, and what it said last
passes to another opinion: that of the voice alone, while trust in what was seen last fades (late fusion); or, where
there is one, that of a joint fusion, which knows both what was seen and what is heard. Of arousal that is the mean of
the two, which err differently: better than the joint one alone for every length of hiding that was measured.
"""

import math

import msgspec

from streamaffect.messages import Estimate
from streamaffect.types import VoiceReading
from streamaffect.voice.hidden import IN_VIEW, Unseen

Interval = tuple[float, float]

VOICE, MODALITIES, AROUSAL, ACTIVITY, FACE = "voice", "modalities", "arousal", "activity", "face"
JOINT = "joint"
TRUST_S = 5.0  # in which trust in what was seen last falls to 1 / e, if there is no joint fusion to judge it
ANYTHING = (-1.0, 1.0)


def beside(estimate: Estimate, reading: VoiceReading | None, unseen: Unseen = IN_VIEW) -> Estimate:
    """The estimate of a face, with what was heard of its voice. `reading` None: the same estimate.

    unseen: for how long the face has been hidden, and what a joint fusion says meanwhile
    """
    if reading is None:
        return _weighed(estimate) if unseen.is_weighed else estimate
    hidden = estimate.status == "held" and reading.arousal is not None and estimate.arousal is not None
    share = _share(estimate, unseen) if hidden else 1.0
    face = 0.0 if estimate.arousal is None else share
    voiced: dict[str, float] = {ACTIVITY: reading.activity}
    used = {FACE: face, VOICE: 1.0 - share}
    if unseen.is_weighed or (hidden and unseen.fused is not None):
        used[JOINT] = 1.0
    outputs = {**estimate.outputs, VOICE: voiced, MODALITIES: used}
    intervals = {} if estimate.output_intervals is msgspec.UNSET else dict(estimate.output_intervals)
    if reading.arousal is not None and reading.arousal_interval is not None:
        voiced[AROUSAL] = reading.arousal
        intervals[VOICE] = {AROUSAL: reading.arousal_interval}
    found = msgspec.structs.replace(estimate, outputs=outputs, output_intervals=intervals or msgspec.UNSET)
    if not hidden or unseen.is_weighed:
        return found
    return _late(found, reading, share) if unseen.fused is None else _joint(found, reading, unseen)


def _weighed(estimate: Estimate) -> Estimate:
    """Nothing is heard at the moment, and what was heard just before has been weighed with the face."""
    used = {FACE: 0.0 if estimate.arousal is None else 1.0, VOICE: 0.0, JOINT: 1.0}
    return msgspec.structs.replace(estimate, outputs={**estimate.outputs, MODALITIES: used})


def _share(estimate: Estimate, unseen: Unseen) -> float:
    """What is left of the face's own last answer: a joint fusion knows it, so that only the passage is smooth."""
    if unseen.is_weighed or unseen.fused is not None:
        return estimate.coverage
    return _trust(estimate, unseen)


def _trust(estimate: Estimate, unseen: Unseen) -> float:
    """How far late fusion goes by the face's own last answer."""
    if not unseen.hidden_s:
        return estimate.coverage
    return max(estimate.coverage, math.exp(-unseen.hidden_s / TRUST_S))


def _late(estimate: Estimate, reading: VoiceReading, share: float) -> Estimate:
    """Arousal between the two, with the wider interval of both; of valence a voice says nothing."""
    arousal, interval = _late_arousal(estimate, reading, share)
    valence_interval = estimate.valence_interval
    if valence_interval is not None and estimate.coverage == 0:
        valence_interval = ANYTHING
    return msgspec.structs.replace(
        estimate, arousal=arousal, arousal_interval=interval, valence_interval=valence_interval
    )


def _late_arousal(estimate: Estimate, reading: VoiceReading, share: float) -> tuple[float, Interval]:
    assert estimate.arousal is not None and reading.arousal is not None and reading.arousal_interval is not None
    return _between((estimate.arousal, estimate.arousal_interval), (reading.arousal, reading.arousal_interval), share)


def _joint(estimate: Estimate, reading: VoiceReading, unseen: Unseen) -> Estimate:
    """Both between what the face said last and what a joint fusion says, of arousal with late fusion's opinion."""
    fused = unseen.fused
    assert estimate.valence is not None and estimate.arousal is not None and fused is not None
    late, _ = _late_arousal(estimate, reading, _trust(estimate, unseen))
    valence, valence_interval = _between(
        (estimate.valence, estimate.valence_interval), (fused.valence, fused.valence_interval), estimate.coverage
    )
    low, high = fused.arousal_interval
    moved = (late - fused.arousal) / 2
    arousal, arousal_interval = _between(
        (estimate.arousal, estimate.arousal_interval),
        (fused.arousal + moved, (low + moved, high + moved)),
        estimate.coverage,
    )
    return msgspec.structs.replace(
        estimate,
        valence=valence,
        arousal=arousal,
        valence_interval=valence_interval,
        arousal_interval=arousal_interval,
    )


def _between(
    face: tuple[float, Interval | None], other: tuple[float, Interval], share: float
) -> tuple[float, Interval]:  # fmt: skip
    """A value of which `share` is the face's, and around it the wider interval of both."""
    (said, around), (value, (low, high)) = face, other
    found = share * said + (1.0 - share) * value
    below, above = value - low, high - value
    if around is not None and share > 0:
        below, above = max(below, said - around[0]), max(above, around[1] - said)
    return found, (max(-1.0, found - below), min(1.0, found + above))
