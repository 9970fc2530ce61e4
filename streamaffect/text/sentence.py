"""What a stretch of a stream shows of one face, as one short factual sentence.

"Raised brows and a smile; looks happy, quite sure; voice calm." It says what the outputs hold and no more: a movement
is named where its mean is large and its interval stays away from zero, an emotion with how sure the model is of the
class, a voice by the side of zero on which its interval lies. What is hidden or unclear is said to be so. Pulled lip
corners (AU12) alone are no smile: pain, weeping and fury bare the teeth too, and are told from joy by the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import UNSET

from streamaffect.messages import Estimate

Means = Mapping[str, float]

MOST_MOVEMENTS: Final = 3
LONGEST_QUOTE: Final = 80  # letters

QUITE, FAIRLY, NOT = "quite sure", "fairly sure", "not sure"
QUITE_FROM, FAIRLY_FROM = 0.8, 0.6  # mean probability of the class
SECOND_FROM = 0.2  # of the second class, to be named where the first is not sure
WIDE = 0.8  # of an interval of valence, from which on a class is one step less sure

HEARD_FROM: Final = 0.3  # share of the window with speech, as for the voice's arousal
LIVELY_FROM: Final = 0.25  # arousal of a voice whose interval holds zero

ADJECTIVES: Final[Mapping[str, str]] = {
    "happiness": "happy",
    "surprise": "surprised",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "afraid",
    "contempt": "contemptuous",
}
HAPPINESS: Final = "happiness"
UNPLEASANT: Final = frozenset({"sadness", "anger", "disgust", "fear", "contempt"})


class _Movement(NamedTuple):
    """A phrase for units that move together.

    from_:    mean activation of each; low: least mean lower end of each
    excludes: units that are not named beside it, since the words would contradict each other
    """

    phrase: str
    units: tuple[str, ...]
    from_: float = 0.4
    low: float = 0.15
    excludes: tuple[str, ...] = ()


_SMILE: Final = _Movement("a smile", ("AU12",))
_GRIMACING: Final = ("AU04", "AU07", "AU10")  # brows, lids and upper lip, as in pain (Prkachin 1992) and disgust

# Of those that share a unit the first one counts. Brows rest high on many faces, and lids low.
_MOVEMENTS: Final = (
    _Movement("inner brows drawn up", ("AU01", "AU04"), excludes=("AU02",)),
    _Movement("raised brows", ("AU01", "AU02"), 0.6, 0.3),
    _Movement("raised inner brows", ("AU01",), 0.65, 0.4),
    _Movement("raised outer brows", ("AU02",), 0.65, 0.4),
    _Movement("lowered brows", ("AU04",)),
    _Movement("wide eyes", ("AU05",), excludes=("AU07", "AU43")),
    _Movement("closed eyes", ("AU43", "AU07"), 0.7, 0.35),
    _Movement("lowered lids", ("AU43", "AU07"), 0.45, 0.2),
    _Movement("lowered lids", ("AU43",), 0.55, 0.25),
    _Movement("narrowed eyes", ("AU07",), 0.5, 0.25),
    _SMILE,
    _Movement("a raised upper lip", ("AU10",)),
    _Movement("a raised chin", ("AU17",)),
    _Movement("an open mouth", ("AU26", "AU25")),
    _Movement("an open mouth", ("AU26",)),
    _Movement("parted lips", ("AU25",)),
)


def sentence(estimates: Sequence[Estimate], *, emotions: str = "emotions", words: str = "") -> str:
    """The sentence for estimates of one face, in order, at least one.

    emotions: the output whose names are expressions
    words:    what was said meanwhile, by a transcript
    """
    seen = [one for one in estimates if one.status in ("ok", "warming")]
    parts: list[str] = []
    if 2 * len(seen) > len(estimates):
        parts += [_movements(seen, emotions), _expression(seen, emotions)]
    elif 2 * sum(one.status == "held" for one in estimates) >= len(estimates):
        parts += ["face hidden", _before(estimates, emotions)]
    else:
        parts.append("face too unclear to tell")
    parts += [_voice(estimates), _quote(words)]
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('”') else '.'}"


def _movements(seen: Sequence[Estimate], emotions: str) -> str:
    """The movements of the face, at most three; nothing where no unit is measured."""
    means = _means(seen, lambda one: one.outputs.get("units", {}))
    if not means:
        return ""
    lows = _means(seen, _lower_ends)
    taken: set[str] = set()
    found: list[tuple[float, str]] = []
    for movement in _MOVEMENTS:
        if taken.isdisjoint(movement.units) and _moves(movement, means, lows):
            taken.update(movement.units, movement.excludes)
            phrase = _lip_corners(means, seen, emotions) if movement is _SMILE else movement.phrase
            found.append((max(means[unit] for unit in movement.units), phrase))
    phrases = [phrase for _, phrase in sorted(found, reverse=True)[:MOST_MOVEMENTS]]
    return _listed(phrases) if phrases else "no marked movement"


def _lip_corners(means: Means, seen: Sequence[Estimate], emotions: str) -> str:
    """What pulled lip corners are called on this face: a smile, unless it looks unpleasant."""
    if not _is_unpleasant(seen, emotions):
        return _SMILE.phrase
    is_grimace = any(means.get(unit, 0.0) >= _SMILE.from_ for unit in _GRIMACING)
    return "a grimace" if is_grimace else "lip corners pulled back"


def _is_unpleasant(seen: Sequence[Estimate], emotions: str) -> bool:
    """By the likeliest expression, which the sentence names; by the side of valence where that one may be either."""
    means = _means(seen, lambda one: one.outputs.get(emotions, {}))
    first = max(means, key=lambda name: means[name], default="")
    if first == HAPPINESS or first in UNPLEASANT:
        return first in UNPLEASANT
    valences = [one.valence for one in seen if one.valence is not None]
    return sum(valences) < 0


def _moves(movement: _Movement, means: Means, lows: Means) -> bool:
    return all(
        means.get(unit, 0.0) >= movement.from_ and lows.get(unit, 0.0) >= movement.low for unit in movement.units
    )


def _lower_ends(one: Estimate) -> Means:
    units = {} if one.output_intervals is UNSET else one.output_intervals.get("units", {})
    return {name: ends[0] for name, ends in units.items()}


def _expression(seen: Sequence[Estimate], emotions: str) -> str:
    """What the face looks like, and how sure that is; by valence where there are no classes."""
    means = _means(seen, lambda one: one.outputs.get(emotions, {}))
    if not means:
        return _pleasant(seen)
    (first, share), *others = sorted(means.items(), key=lambda item: -item[1])
    sure = _sureness(share, seen)
    if sure == NOT and others and others[0][1] >= SECOND_FROM:
        return f"looks {_adjective(first)} or {_adjective(others[0][0])}, {NOT}"
    return f"looks {_adjective(first)}, {sure}"


def _sureness(share: float, seen: Sequence[Estimate]) -> str:
    """By the class's probability; a step less where valence is wide open, or while there is hardly any context."""
    steps = (QUITE, FAIRLY, NOT)
    step = 0 if share >= QUITE_FROM else 1 if share >= FAIRLY_FROM else 2
    ends = [one.valence_interval for one in seen if one.valence_interval is not None]
    is_wide = bool(ends) and sum(high - low for low, high in ends) / len(ends) > WIDE
    if is_wide or (step == 0 and seen[-1].status == "warming"):
        step += 1
    return steps[min(step, 2)]


def _pleasant(seen: Sequence[Estimate]) -> str:
    """For a model without classes: the side of zero on which the whole interval of valence lies."""
    ends = [one.valence_interval for one in seen if one.valence_interval is not None]
    side = _side(ends)
    return {1: "looks pleased", -1: "looks displeased", 0: ""}[side]


def _before(estimates: Sequence[Estimate], emotions: str) -> str:
    """What a hidden face looked like when it was last seen: that is what is held."""
    means = _means(estimates, lambda one: one.outputs.get(emotions, {}))
    return f"last looked {_adjective(max(means, key=lambda name: means[name]))}" if means else ""


def _voice(estimates: Sequence[Estimate]) -> str:
    """The voice of a face that is there alone; nothing where nobody listens or nobody speaks."""
    heard = [one for one in estimates if one.outputs.get("voice", {}).get("activity", 0.0) >= HEARD_FROM]
    if 2 * len(heard) < len(estimates) or not heard:
        return ""
    arousals = [one.outputs["voice"]["arousal"] for one in heard if "arousal" in one.outputs["voice"]]
    if not arousals:
        return "voice heard"
    intervals = [{} if one.output_intervals is UNSET else one.output_intervals.get("voice", {}) for one in heard]
    side = _side([ends["arousal"] for ends in intervals if "arousal" in ends])
    if side:
        return "voice lively" if side > 0 else "voice calm"
    mean = sum(arousals) / len(arousals)
    return "voice heard" if abs(mean) < LIVELY_FROM else "voice perhaps lively" if mean > 0 else "voice perhaps calm"


def _side(ends: Sequence[tuple[float, float]]) -> int:
    """1 or −1 where the mean interval lies on that side of zero, else 0."""
    if not ends:
        return 0
    low, high = (sum(one[end] for one in ends) / len(ends) for end in (0, 1))
    return 1 if low > 0 else -1 if high < 0 else 0


def _quote(words: str) -> str:
    if not words:
        return ""
    cut = words if len(words) <= LONGEST_QUOTE else words[:LONGEST_QUOTE].rsplit(" ", 1)[0] + " …"
    return f"words: “{cut}”"


def _adjective(name: str) -> str:
    return ADJECTIVES.get(name, name.replace("_", " "))


def _listed(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _means(estimates: Sequence[Estimate], values: Callable[[Estimate], Means]) -> dict[str, float]:
    """Mean of each name over the estimates that have it."""
    found: dict[str, list[float]] = {}
    for one in estimates:
        for name, value in values(one).items():
            found.setdefault(name, []).append(value)
    return {name: sum(several) / len(several) for name, several in found.items()}
