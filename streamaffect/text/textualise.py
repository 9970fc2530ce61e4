"""What was seen and heard in a stretch of time, written as text for a language model.

The order and the rules are those of Richet et al., "Textualized and Feature-based Models for Compound Multimodal
Emotion Recognition in the Wild" (ECCV Workshops 2024): words, then the active action units and the strongest
expressions, then the voice; each part ends with a semicolon. The wording is our own. Nothing here calls a service or a
model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from streamaffect.messages import Estimate, Message, Share
from streamaffect.text.action_units import UNIT_NAMES

Modality = Literal["T", "V", "A"]
Count = Annotated[int, msgspec.Meta(ge=1)]

NO_FACE, NO_SPEECH = "no face", "no speech"


class TextualiserConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written, and from which score on. The defaults are the published ones.

    modalities:       T words, V face, A voice; they are written in this order whatever the order here
    active_above:     a unit is named where its highest probability is above this
    expressions:      so many of the strongest expressions are named
    descriptors:      so many of the strongest descriptors of the voice, at most
    high_above:       a descriptor is High above this score, else Low
    levels:           arousal, valence and dominance as "numbers" with two decimals or as "words", High or Low
    level_high_above: High above this level, else Low
    quiet_is_no_face: a face without an active unit is written as no face at all, its expressions too, as published
    """

    modalities: Annotated[tuple[Modality, ...], msgspec.Meta(min_length=1)] = ("T", "V", "A")
    active_above: Share = 0.5
    expressions: Count = 3
    descriptors: Count = 10
    high_above: Share = 0.3
    levels: Literal["numbers", "words"] = "numbers"
    level_high_above: Share = 0.5
    quiet_is_no_face: bool = True


PUBLISHED = TextualiserConfig()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one stretch of time. None means that nothing measures it, or that there was nothing to measure.

    transcript:  what was said
    units:       number of the action unit → its highest probability
    expressions: name → its highest score
    prosody:     descriptor of the voice → its highest score in [0, 1]
    arousal, valence, dominance: in [0, 1]
    """

    transcript: str | None = None
    units: Mapping[int, float] | None = None
    expressions: Mapping[str, float] | None = None
    prosody: Mapping[str, float] | None = None
    arousal: float | None = None
    valence: float | None = None
    dominance: float | None = None


@dataclass(frozen=True, slots=True)
class TrackWindow:
    """The estimates of one face in one stretch of a stream that begins at `start_s`, in seconds of capture time."""

    stream: str
    track: int
    start_s: float
    estimates: list[Estimate]


def textualise(evidence: Evidence, config: TextualiserConfig = PUBLISHED) -> str:
    """The text, empty if only words are wanted and none were said.

    Raises KeyError on an action unit that has no name in `UNIT_NAMES`.
    """
    parts: list[str] = []
    if "T" in config.modalities and evidence.transcript and evidence.transcript.strip():
        parts.append(f"Transcript: {' '.join(evidence.transcript.split())}")
    if "V" in config.modalities:
        parts += _face(evidence, config)
    if "A" in config.modalities:
        parts += _voice(evidence, config)
    return " ".join(f"{part};" for part in parts)


def evidence_of_estimates(estimates: Iterable[Estimate], *, head: str = "emotions") -> Evidence:
    """What the stream says of a face: the highest score of each expression, mean valence and arousal from 0 to 1.

    head: the output whose names are expressions. Estimates without values, of a stream that abstained, are left out.
    """
    expressions: dict[str, float] = {}
    valences, arousals = [], []
    for estimate in estimates:
        for name, score in estimate.outputs.get(head, {}).items():
            expressions[name] = max(score, expressions.get(name, 0.0))
        if estimate.valence is not None and estimate.arousal is not None:
            valences.append(estimate.valence)
            arousals.append(estimate.arousal)
    return Evidence(expressions=expressions or None, valence=_level(valences), arousal=_level(arousals))


def track_windows(messages: Iterable[Message], *, seconds: float) -> Iterator[TrackWindow]:
    """The estimates among the messages, by face and by stretch of `seconds`, in the order in which stretches end.

    Stretches are counted from capture time 0, so those of several faces coincide.
    """
    open_windows: dict[tuple[str, int], TrackWindow] = {}
    for message in messages:
        if not isinstance(message, Estimate):
            continue
        key = (message.stream, message.track)
        start_s = message.t_capture_ns / 1e9 // seconds * seconds
        window = open_windows.get(key)
        if window is not None and window.start_s == start_s:
            window.estimates.append(message)
            continue
        if window is not None:
            yield open_windows.pop(key)
        open_windows[key] = TrackWindow(*key, start_s, [message])
    yield from open_windows.values()


def _face(evidence: Evidence, config: TextualiserConfig) -> list[str]:
    units, expressions = evidence.units, evidence.expressions
    active = [unit for unit in sorted(units) if units[unit] > config.active_above] if units is not None else []
    is_quiet = units is not None and not active
    if (units is None and expressions is None) or (is_quiet and config.quiet_is_no_face):
        return [f"Action units: {NO_FACE}", f"Facial expressions: {NO_FACE}"]
    parts = []
    if units is not None:
        parts.append(f"Action units: {', '.join(UNIT_NAMES[unit] for unit in active) or 'none'}")
    if expressions is not None:
        parts.append(f"Facial expressions: {', '.join(_strongest(expressions, config.expressions))}")
    return parts


def _voice(evidence: Evidence, config: TextualiserConfig) -> list[str]:
    prosody = evidence.prosody or {}
    named = [f"{_height(prosody[name], config.high_above)} {name}" for name in _strongest(prosody, config.descriptors)]
    parts = [f"Voice: {', '.join(named) or NO_SPEECH}"]
    levels = {"Arousal": evidence.arousal, "Valence": evidence.valence, "Dominance": evidence.dominance}
    for name, level in levels.items():
        if level is not None:
            word = f"{level:.2f}" if config.levels == "numbers" else _height(level, config.level_high_above)
            parts.append(f"{name}: {word}")
    return parts


def _strongest(scores: Mapping[str, float], count: int) -> list[str]:
    """Names by falling score; equal scores keep their order."""
    return sorted(scores, key=lambda name: -scores[name])[:count]


def _height(score: float, high_above: float) -> str:
    return "High" if score > high_above else "Low"


def _level(values: Sequence[float]) -> float | None:
    """The mean of values in [-1, 1], brought to [0, 1]."""
    return (sum(values) / len(values) + 1) / 2 if values else None
