"""A reading in an estimate."""

import math

import numpy as np

from streamaffect.messages import Estimate, Status
from streamaffect.types import Box, VoiceReading
from streamaffect.voice.fusion import TRUST_S, beside
from streamaffect.voice.hidden import Unseen
from streamaffect.voice.joint import Fused

SPEAKS = VoiceReading(0.8, 0.6, (0.1, 1.0))


def estimate(status: Status = "ok", *, coverage: float = 1.0) -> Estimate:
    known = status != "abstain"
    return Estimate(
        stream="s",
        track=1,
        seq=0,
        t_capture_ns=0,
        t_publish_ns=0,
        pts_s=0.0,
        valence=0.2 if known else None,
        arousal=0.0 if known else None,
        valence_interval=(0.0, 0.4) if known else None,
        arousal_interval=(-0.2, 0.2) if known else None,
        status=status,
        coverage=coverage,
        context_fill=1.0,
        lookahead_s=0.0,
        refines=None,
        box=Box(0, 0, 1, 1),
        face_score=0.9,
        outputs={"emotions": {"happiness": 0.5}},
        model="m@1",
    )


def test_nothing_heard_changes_nothing() -> None:
    plain = estimate("held", coverage=0.5)
    assert beside(plain, None) is plain


def test_while_the_face_is_seen_its_values_are_its_own() -> None:
    plain = estimate()
    found = beside(plain, SPEAKS)
    assert (found.valence, found.arousal, found.arousal_interval) == (0.2, 0.0, (-0.2, 0.2))
    assert found.outputs["voice"] == {"activity": 0.8, "arousal": 0.6}
    assert found.outputs["modalities"] == {"face": 1.0, "voice": 0.0}
    assert found.outputs["emotions"] == plain.outputs["emotions"]
    assert found.output_intervals == {"voice": {"arousal": (0.1, 1.0)}}


def test_a_hidden_face_passes_arousal_to_its_voice_as_its_clip_runs_empty() -> None:
    found = beside(estimate("held", coverage=0.25), SPEAKS)
    assert found.arousal is not None and abs(found.arousal - 0.45) < 1e-9
    assert found.outputs["modalities"] == {"face": 0.25, "voice": 0.75}
    assert found.valence == 0.2
    assert found.arousal_interval is not None
    low, high = found.arousal_interval
    assert abs(low + 0.05) < 1e-9 and abs(high - 0.85) < 1e-9  # as wide as the voice's


def test_trust_in_what_was_seen_last_fades_while_the_voice_goes_on() -> None:
    shares = [
        beside(estimate("held", coverage=0.0), SPEAKS, Unseen(hidden_s)).outputs["modalities"]["face"]
        for hidden_s in (0.1, TRUST_S, 4 * TRUST_S)
    ]
    assert shares[0] > 0.9 and abs(shares[1] - np.exp(-1)) < 1e-9 and shares[2] < 0.05
    last = beside(estimate("held", coverage=0.0), SPEAKS, Unseen(100.0))
    assert last.arousal is not None and abs(last.arousal - 0.6) < 1e-6
    assert (last.valence, last.valence_interval) == (0.2, (-1.0, 1.0))  # a voice says nothing of it


def late_arousal(hidden_s: float) -> float:
    """What late fusion says of a face whose last arousal was 0, beside the voice's 0.6."""
    return 0.6 * (1 - math.exp(-hidden_s / TRUST_S))


def test_a_joint_fusion_speaks_as_far_as_the_last_clip_is_empty() -> None:
    fused = Fused(valence=-0.6, arousal=0.8, valence_interval=(-1.0, -0.1), arousal_interval=(0.4, 1.0))
    found = beside(estimate("held", coverage=0.25), SPEAKS, Unseen(0.5, fused))
    assert found.valence is not None and abs(found.valence - (0.25 * 0.2 - 0.75 * 0.6)) < 1e-9
    assert found.arousal is not None and abs(found.arousal - 0.75 * (0.8 + late_arousal(0.5)) / 2) < 1e-9
    assert found.outputs["modalities"] == {"face": 0.25, "voice": 0.75, "joint": 1.0}


def test_of_a_face_long_hidden_it_says_valence_alone_and_arousal_with_late_fusion() -> None:
    fused = Fused(valence=-0.6, arousal=0.8, valence_interval=(-1.0, -0.1), arousal_interval=(0.4, 1.0))
    empty = beside(estimate("held", coverage=0.0), SPEAKS, Unseen(9.0, fused))
    mean = (0.8 + late_arousal(9.0)) / 2
    assert empty.valence == fused.valence
    assert empty.valence_interval is not None and np.allclose(empty.valence_interval, fused.valence_interval)
    assert empty.arousal is not None and abs(empty.arousal - mean) < 1e-9
    assert empty.arousal_interval is not None and np.allclose(empty.arousal_interval, (mean - 0.4, mean + 0.2))


def test_a_joint_fusion_changes_nothing_of_a_face_that_is_seen() -> None:
    fused = Fused(0.9, 0.9, (0.8, 1.0), (0.8, 1.0))
    assert beside(estimate(), SPEAKS, Unseen(0.0, fused)) == beside(estimate(), SPEAKS)
    assert beside(estimate("held", coverage=0.5), None, Unseen(1.0, fused)) == estimate("held", coverage=0.5)


def test_a_voice_that_says_too_little_holds_nobody() -> None:
    plain = estimate("held", coverage=0.25)
    found = beside(plain, VoiceReading(0.1))
    assert (found.arousal, found.arousal_interval) == (plain.arousal, plain.arousal_interval)
    assert found.outputs["voice"] == {"activity": 0.1}


def test_where_the_stream_abstains_the_voice_still_speaks_for_itself() -> None:
    found = beside(estimate("abstain", coverage=0.0), SPEAKS)
    assert found.arousal is None
    assert found.outputs["voice"]["arousal"] == 0.6
    assert found.outputs["modalities"] == {"face": 0.0, "voice": 0.0}
