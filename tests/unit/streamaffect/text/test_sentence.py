"""Sentences about a face: what they name, and what they do not dare to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.messages import Estimate
from streamaffect.text.sentence import sentence
from tests.support.recordings import estimate_at

HAPPY = {"happiness": 0.9, "neutral": 0.1}
UNITS = {"AU01": 0.7, "AU02": 0.7, "AU12": 0.8, "AU43": 0.1}


def face(
    *,
    emotions: dict[str, float] | None = None,
    units: dict[str, float] | None = None,
    half: float = 0.2,
    voice: dict[str, float] | None = None,
    voice_half: float = 0.5,
    **changes: Any,
) -> list[Estimate]:
    outputs: dict[str, dict[str, float]] = {"emotions": HAPPY if emotions is None else emotions}
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    if units is not None:
        outputs["units"] = units
        intervals["units"] = {name: (max(0.0, value - half), value + half) for name, value in units.items()}
    if voice is not None:
        outputs["voice"] = voice
        if "arousal" in voice:
            intervals["voice"] = {"arousal": (voice["arousal"] - voice_half, voice["arousal"] + voice_half)}
    said = {"outputs": outputs, "output_intervals": intervals}
    return [estimate_at(i / 25, seq=i, **(said | changes)) for i in range(25)]


def test_movements_expression_and_voice_stand_in_one_sentence() -> None:
    seen = face(units=UNITS, voice={"activity": 0.9, "arousal": -0.6})
    assert sentence(seen) == "A smile and raised brows; looks happy, quite sure; voice calm."


TEETH_BARED = {"AU07": 0.6, "AU10": 0.45, "AU12": 0.6, "AU25": 0.3}


@pytest.mark.parametrize(
    ("emotions", "valence", "units", "words"),
    [
        (
            {"anger": 0.7, "happiness": 0.1},
            -0.4,
            TEETH_BARED,
            "Narrowed eyes, a grimace and a raised upper lip; looks an",
        ),
        ({"sadness": 0.9}, -0.6, {"AU12": 0.6, "AU04": 0.5}, "A grimace and lowered brows; looks sad, quite sure."),
        ({"sadness": 0.9}, -0.6, {"AU12": 0.6}, "Lip corners pulled back; looks sad, quite sure."),
        (
            {"sadness": 0.45, "happiness": 0.4},
            0.05,
            TEETH_BARED,
            "Narrowed eyes, a grimace and a raised upper lip; looks",
        ),
        ({"neutral": 0.9}, -0.3, {"AU12": 0.5}, "Lip corners pulled back; looks neutral, quite sure."),
        ({"neutral": 0.9}, 0.2, {"AU12": 0.5}, "A smile; looks neutral, quite sure."),
        (
            {"happiness": 0.9},
            -0.1,
            TEETH_BARED,
            "Narrowed eyes, a smile and a raised upper lip; looks happy, quite sure.",
        ),
        ({}, -0.4, TEETH_BARED, "Narrowed eyes, a grimace and a raised upper lip; looks displeased."),
    ],
)
def test_pulled_lip_corners_are_a_smile_only_on_a_face_that_does_not_look_unpleasant(
    emotions: dict[str, float], valence: float, units: dict[str, float], words: str
) -> None:
    seen = face(emotions=emotions, units=units, valence=valence, valence_interval=(valence - 0.3, valence + 0.3))
    assert sentence(seen).startswith(words)


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ({"AU01": 0.8, "AU02": 0.8, "AU04": 0.6}, "Inner brows drawn up; "),
        ({"AU05": 0.6, "AU07": 0.7, "AU43": 0.6}, "Wide eyes; "),
    ],
)
def test_movements_that_contradict_each_other_are_not_named_together(units: dict[str, float], words: str) -> None:
    assert sentence(face(units=units)).startswith(words)


def test_a_movement_whose_interval_reaches_down_to_rest_is_not_named() -> None:
    assert sentence(face(units=UNITS, half=0.75)).startswith("No marked movement; ")


def test_without_a_lens_of_units_nothing_is_said_of_movements() -> None:
    assert sentence(face()) == "Looks happy, quite sure."


@pytest.mark.parametrize(
    ("emotions", "words"),
    [
        ({"sadness": 0.7, "neutral": 0.3}, "Looks sad, fairly sure."),
        ({"sadness": 0.5, "neutral": 0.4}, "Looks sad or neutral, not sure."),
        ({"fear": 0.5, "neutral": 0.1}, "Looks afraid, not sure."),
    ],
)
def test_how_sure_it_is_follows_the_probability(emotions: dict[str, float], words: str) -> None:
    assert sentence(face(emotions=emotions)) == words


def test_a_wide_interval_and_a_short_context_make_it_less_sure() -> None:
    assert sentence(face(valence_interval=(-0.6, 0.6))) == "Looks happy, fairly sure."
    assert sentence(face(status="warming")) == "Looks happy, fairly sure."


def test_a_hidden_face_is_said_to_be_hidden_and_what_is_held_is_past() -> None:
    held = face(units=None, status="held", voice={"activity": 0.9, "arousal": 0.1})
    assert sentence(held) == "Face hidden; last looked happy; voice heard."


def test_a_face_without_values_is_too_unclear() -> None:
    none: dict[str, Any] = {"valence": None, "arousal": None, "valence_interval": None, "arousal_interval": None}
    assert sentence(face(emotions={}, status="abstain", **none)) == "Face too unclear to tell."


@pytest.mark.parametrize(
    ("voice", "half", "words"),
    [
        ({"activity": 0.1}, 0.5, ""),
        ({"activity": 0.9}, 0.5, "; voice heard"),
        ({"activity": 0.9, "arousal": 0.1}, 0.5, "; voice heard"),
        ({"activity": 0.9, "arousal": 0.4}, 0.5, "; voice perhaps lively"),
        ({"activity": 0.9, "arousal": -0.4}, 0.5, "; voice perhaps calm"),
        ({"activity": 0.9, "arousal": 0.4}, 0.3, "; voice lively"),
    ],
)
def test_a_voice_is_named_by_the_side_on_which_its_interval_lies(
    voice: dict[str, float], half: float, words: str
) -> None:
    assert sentence(face(voice=voice, voice_half=half)) == f"Looks happy, quite sure{words}."


def test_words_are_quoted_and_long_ones_cut() -> None:
    assert sentence(face(), words="Well then.") == "Looks happy, quite sure; words: “Well then.”"
    assert sentence(face(), words="so " * 60).endswith("so …”")


def test_a_model_without_classes_is_described_by_the_side_of_its_valence() -> None:
    assert sentence(face(emotions={}, units=UNITS)) == "A smile and raised brows; looks pleased."
    assert sentence(face(emotions={}, units=UNITS, valence_interval=(-0.1, 0.5))) == "A smile and raised brows."


@given(
    st.dictionaries(
        st.sampled_from(["AU01", "AU02", "AU04", "AU05", "AU07", "AU12", "AU25", "AU26", "AU43"]), st.floats(0, 1)
    ),
    st.floats(0, 1),
    st.sampled_from(["ok", "warming", "held", "abstain"]),
)
def test_whatever_is_seen_there_is_one_short_sentence(units: dict[str, float], half: float, status: str) -> None:
    text = sentence(face(units=units, half=half, status=status))
    assert text.endswith(".") and text[0].isupper() and len(text) < 200
    assert ";;" not in text and "; ." not in text


@given(
    st.dictionaries(st.sampled_from(["AU04", "AU07", "AU10", "AU12"]), st.floats(0, 1)),
    st.dictionaries(st.sampled_from(["happiness", "sadness", "anger", "disgust", "fear", "neutral"]), st.floats(0, 1)),
    st.floats(-1, 1),
)
def test_no_smile_stands_beside_an_unpleasant_look(
    units: dict[str, float], emotions: dict[str, float], valence: float
) -> None:
    text = sentence(
        face(units=units, emotions=emotions, valence=valence, valence_interval=(valence - 0.2, valence + 0.2))
    )
    unpleasant = ("looks sad", "looks angry", "looks disgusted", "looks afraid", "looks displeased")
    assert not ("smile" in text and any(words in text for words in unpleasant))
    assert not (("grimace" in text or "pulled back" in text) and ("looks happy" in text or "looks pleased" in text))
