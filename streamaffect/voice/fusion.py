"""A voice in an estimate: beside the face while that is seen, in its place as far as it is not (late fusion).

A face that is seen answers alone, to the last bit. While it is hidden, its last clip runs empty: the share that is
still real is the weight of what it said last, and the rest is the voice's.
"""

import msgspec

from streamaffect.messages import Estimate
from streamaffect.types import VoiceReading

VOICE, MODALITIES, AROUSAL, ACTIVITY, FACE = "voice", "modalities", "arousal", "activity", "face"


def beside(estimate: Estimate, reading: VoiceReading | None) -> Estimate:
    """The estimate of a face, with what was heard of its voice. `reading` None: the same estimate."""
    if reading is None:
        return estimate
    hidden = estimate.status == "held" and reading.arousal is not None and estimate.arousal is not None
    share = estimate.coverage if hidden else 1.0
    face = 0.0 if estimate.arousal is None else share
    voiced: dict[str, float] = {ACTIVITY: reading.activity}
    outputs = {**estimate.outputs, VOICE: voiced, MODALITIES: {FACE: face, VOICE: 1.0 - share}}
    intervals = {} if estimate.output_intervals is msgspec.UNSET else dict(estimate.output_intervals)
    if reading.arousal is not None and reading.arousal_interval is not None:
        voiced[AROUSAL] = reading.arousal
        intervals[VOICE] = {AROUSAL: reading.arousal_interval}
    found = msgspec.structs.replace(estimate, outputs=outputs, output_intervals=intervals or msgspec.UNSET)
    return _fused(found, reading, share) if hidden else found


def _fused(estimate: Estimate, reading: VoiceReading, share: float) -> Estimate:
    """Arousal between the two, with the wider interval of both around it."""
    assert estimate.arousal is not None and reading.arousal is not None and reading.arousal_interval is not None
    arousal = share * estimate.arousal + (1.0 - share) * reading.arousal
    below, above = reading.arousal - reading.arousal_interval[0], reading.arousal_interval[1] - reading.arousal
    if estimate.arousal_interval is not None:
        low, high = estimate.arousal_interval
        below, above = max(below, estimate.arousal - low), max(above, high - estimate.arousal)
    interval = (max(-1.0, arousal - below), min(1.0, arousal + above))
    return msgspec.structs.replace(estimate, arousal=arousal, arousal_interval=interval)
