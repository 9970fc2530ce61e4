"""What is seen and heard as text: order, thresholds, and what is written where nothing is known."""

from dataclasses import replace

import msgspec
import pytest

from streamaffect.messages import Message
from streamaffect.text.textualise import Evidence, TextualiserConfig, evidence_of_estimates, textualise, track_windows
from tests.support.recordings import estimate_at, health_of

FACE = {1: 0.2, 12: 0.81, 6: 0.51, 4: 0.5}
EXPRESSIONS = {"anger": 0.1, "happiness": 0.7, "surprise": 0.4, "neutral": 0.2, "fear": 0.05}
EVERYTHING = Evidence(
    transcript="  Oh, it's\nyou! ",
    units=FACE,
    expressions=EXPRESSIONS,
    prosody={"Calmness": 0.1, "Joy": 0.62, "Awe": 0.3},
    arousal=0.714,
    valence=0.5,
    dominance=0.501,
)


def test_words_face_and_voice_come_in_this_order_and_each_part_ends_with_a_semicolon() -> None:
    assert textualise(EVERYTHING) == (
        "Transcript: Oh, it's you!; "
        "Action units: cheek raiser, lip corner puller; "
        "Facial expressions: happiness, surprise, neutral; "
        "Voice: High Joy, Low Awe, Low Calmness; "
        "Arousal: 0.71; Valence: 0.50; Dominance: 0.50;"
    )


def test_the_order_does_not_depend_on_how_the_modalities_are_listed() -> None:
    assert textualise(EVERYTHING, TextualiserConfig(modalities=("A", "V", "T"))) == textualise(EVERYTHING)


@pytest.mark.parametrize(
    ("modality", "begins"), [("T", "Transcript: Oh"), ("V", "Action units: cheek"), ("A", "Voice: High")]
)
def test_a_modality_can_stand_alone(modality: str, begins: str) -> None:
    config = msgspec.convert({"modalities": [modality]}, TextualiserConfig)
    text = textualise(EVERYTHING, config)
    assert text.startswith(begins)
    assert text in textualise(EVERYTHING)


def test_levels_as_words_are_high_above_a_half_only() -> None:
    text = textualise(EVERYTHING, TextualiserConfig(modalities=("A",), levels="words"))
    assert text.endswith("Arousal: High; Valence: Low; Dominance: High;")


def test_a_face_without_an_active_unit_is_written_as_no_face_as_published() -> None:
    quiet = replace(EVERYTHING, units={1: 0.5, 12: 0.4})
    config = TextualiserConfig(modalities=("V",))
    assert textualise(quiet, config) == "Action units: no face; Facial expressions: no face;"
    shown = msgspec.structs.replace(config, quiet_is_no_face=False)
    assert textualise(quiet, shown) == "Action units: none; Facial expressions: happiness, surprise, neutral;"


def test_what_nothing_measures_is_said_or_left_out() -> None:
    assert textualise(Evidence()) == "Action units: no face; Facial expressions: no face; Voice: no speech;"
    assert textualise(Evidence(transcript=" "), TextualiserConfig(modalities=("T",))) == ""


def test_expressions_without_units_are_named_and_units_are_not_mentioned() -> None:
    text = textualise(Evidence(expressions=EXPRESSIONS), TextualiserConfig(modalities=("V",)))
    assert text == "Facial expressions: happiness, surprise, neutral;"


def test_no_more_descriptors_are_named_than_asked_for_and_the_strongest_come_first() -> None:
    prosody = {f"tone{number}": number / 20 for number in range(20)}
    text = textualise(Evidence(prosody=prosody), TextualiserConfig(modalities=("A",)))
    names = [word.split()[1] for word in text.removeprefix("Voice: ").removesuffix(";").split(", ")]
    assert names == [f"tone{number}" for number in range(19, 9, -1)]


@pytest.mark.parametrize("wrong", [{"modalities": []}, {"modalities": ["X"]}, {"high_above": 2.0}, {"unknown": 1}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, TextualiserConfig)


def test_estimates_give_the_highest_expressions_and_mean_levels_from_zero_to_one() -> None:
    estimates = [
        estimate_at(0.0, valence=1.0, arousal=-1.0, outputs={"emotions": {"neutral": 0.2, "happiness": 0.8}}),
        estimate_at(0.1, valence=0.0, arousal=-0.5, outputs={"emotions": {"neutral": 0.6, "happiness": 0.4}}),
        estimate_at(0.2, valence=None, arousal=None, outputs={}),
    ]
    evidence = evidence_of_estimates(estimates)
    assert evidence.expressions == {"neutral": 0.6, "happiness": 0.8}
    assert evidence.valence == pytest.approx(0.75)
    assert evidence.arousal == pytest.approx(0.125)
    assert textualise(evidence) == (
        "Facial expressions: happiness, neutral; Voice: no speech; Arousal: 0.12; Valence: 0.75;"
    )


def test_a_stream_that_abstained_shows_no_face() -> None:
    silent = [estimate_at(0.0, valence=None, arousal=None, outputs={})]
    assert textualise(evidence_of_estimates(silent), TextualiserConfig(modalities=("V",))).count("no face") == 2


def test_messages_are_divided_by_face_and_time() -> None:
    messages: list[Message] = [
        estimate_at(0.0, track=1), estimate_at(0.5, track=2), health_of("clip"), estimate_at(0.9, track=1),
        estimate_at(1.0, track=1), estimate_at(3.2, track=2),
    ]  # fmt: skip
    windows = list(track_windows(messages, seconds=1.0))
    assert [(window.track, window.start_s, len(window.estimates)) for window in windows] == [
        (1, 0.0, 2),
        (2, 0.0, 1),
        (1, 1.0, 1),
        (2, 3.0, 1),
    ]
