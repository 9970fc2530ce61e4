"""A reading in an estimate."""

from streamaffect.messages import Estimate, Status
from streamaffect.types import Box, VoiceReading
from streamaffect.voice.fusion import beside

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
