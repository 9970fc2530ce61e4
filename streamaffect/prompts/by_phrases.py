"""Prompts by the phrase bank: weights of the emotions and action units that the stream has anyway.

A score is the logistic curve of the weights times the standardised outputs. It says how much more of the prompt's
meaning a face shows than faces do on average, and can be compared among prompts.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from streamaffect.errors import PromptError
from streamaffect.lenses.view import LensPart, Reading, View
from streamaffect.prompts.bank import UNSEEN, PhraseBank, load_bank
from streamaffect.prompts.compiled import CompiledFile, CompiledPrompt
from streamaffect.prompts.encoder import embed
from streamaffect.prompts.reading import Prompt
from streamaffect.types import FloatArray

EMOTIONS = "emotions"


class PhraseReader:
    """A `PromptReader`.

    emotions: names of the bundle's head `emotions`, in its order
    units:    the lens of action units, which is asked about the same faces; None where there is none

    Raises PromptError where the bundle has no emotion that the bank knows.
    """

    def __init__(self, emotions: Sequence[str], units: LensPart | None) -> None:
        self.bank = load_bank()
        self._emotions = list(emotions)
        self._units = units
        unit_names = [] if units is None else [str(output["name"]) for output in units.meta.outputs]
        self.seen = frozenset([*emotions, *unit_names]) & frozenset(self.bank.attributes)
        if not self.seen & set(emotions):
            raise PromptError(f"prompts: the bundle's head {EMOTIONS!r} has no emotion that the phrase bank knows")
        self.label = f"phrase-bank@{self.bank.sha256[:12]}"
        self.inputs: Sequence[str] = (EMOTIONS, *(() if units is None else units.inputs))

    def compile(self, prompts: Sequence[Prompt]) -> list[CompiledPrompt]:
        """What the prompts mean; the encoder is asked of those alone that are no phrases of the bank."""
        known = {prompt.name: self.bank.known_vector(prompt) for prompt in prompts}
        unknown = [prompt for prompt in prompts if known[prompt.name] is None]
        embedded = dict(zip((one.name for one in unknown), embed([one.text for one in unknown]), strict=True)) if (
            unknown
        ) else {}  # fmt: skip
        vectors = {
            name: self.bank.vector(embedded[name]) if vector is None else vector for name, vector in known.items()
        }
        return [self.bank.compile(prompt, vectors[prompt.name], self.seen) for prompt in prompts]

    def read(self, prompts: Sequence[Prompt]) -> "PhrasePrompts":
        """Raises PromptError where the encoder is needed and missing."""
        return self.take(self.compile(prompts))

    def take(self, prompts: Sequence[CompiledPrompt]) -> "PhrasePrompts":
        """Prompts that were compiled before. Raises PromptError where they name what this bank does not know."""
        known = set(self.bank.attributes)
        if unknown := sorted({name for one in prompts for name in one.weights} - known):
            raise PromptError(
                f"the compiled prompts name {', '.join(unknown)}, which this version's phrase bank does not know; "
                "compile them again"
            )
        return PhrasePrompts(self.bank, prompts, self._emotions, self._units, self.seen)

    def packed(self, prompts: Sequence[Prompt]) -> CompiledFile:
        """The prompts as the content of a file."""
        return CompiledFile(bank=self.bank.sha256, prompts=self.compile(prompts))


class PhrasePrompts:
    """`Understood` prompts."""

    def __init__(
        self,
        bank: PhraseBank,
        prompts: Sequence[CompiledPrompt],
        emotions: Sequence[str],
        units: LensPart | None,
        seen: frozenset[str],
    ) -> None:
        self._prompts = list(prompts)
        self._emotions = emotions
        self._units = units
        self._places = {name: i for i, name in enumerate(bank.attributes) if name in seen}
        self._mean, self._scale = bank.mean, bank.scale
        self._slope, self._offset = bank.curve
        self._asked = [one for one in prompts if one.is_understood]
        self._weights = np.array(  # (A, P)
            [
                [one.weights.get(name, 0.0) if name != UNSEEN else 0.0 for one in self._asked]
                for name in bank.attributes
            ],
            np.float32,
        ).reshape(len(bank.attributes), len(self._asked))

    @property
    def outputs(self) -> list[dict[str, object]]:
        """Each prompt with its confidence and the phrase that is nearest to it."""
        return [
            {"name": one.name, "range": (0.0, 1.0), "unit": "score"}
            | ({"text": one.text} if one.text != one.name else {})
            | {"confidence": one.confidence, "nearest": one.nearest, "understood": one.is_understood}
            for one in self._prompts
        ]

    @property
    def in_words(self) -> list[str]:
        """What each means."""
        return [one.in_words for one in self._prompts]

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        """Scores in [0, 1] of those that were understood; None for a face whose outputs are not finite."""
        spoken = self._spoken_units(views)
        return [
            None if units is None else self._reading(view, units) for view, units in zip(views, spoken, strict=True)
        ]

    def scores(self, values: FloatArray) -> FloatArray:
        """Scores (N, P) of the prompts that were understood. values: (N, A) outputs by the bank's attributes."""
        sums = ((values - self._mean) / self._scale) @ self._weights
        return np.asarray(1 / (1 + np.exp(-(self._slope * sums + self._offset))), np.float32)

    def _spoken_units(self, views: Sequence[View]) -> Sequence[Mapping[str, float] | None]:
        if self._units is None:
            return [{} for _ in views]
        return [None if one is None else one.values for one in self._units.look(views)]

    def _reading(self, view: View, units: Mapping[str, float]) -> Reading | None:
        values = self._mean.copy()  # what is not known of a face is as in the mean
        found = dict(zip(self._emotions, map(float, view.inputs[EMOTIONS]), strict=True)) | dict(units)
        for name, place in self._places.items():
            values[place] = found[name]
        scores = self.scores(values[None])[0]
        if not np.isfinite(scores).all():
            return None
        return Reading({one.name: float(score) for one, score in zip(self._asked, scores, strict=True)})
