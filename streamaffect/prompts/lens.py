"""The lens of prompts: it looks at every face, and its prompts may be changed from any thread meanwhile."""

import logging
from collections.abc import Sequence
from typing import Protocol

from streamaffect.lenses.view import Reading, View
from streamaffect.messages import HeadMeta
from streamaffect.prompts.reading import Prompt

log = logging.getLogger(__name__)

NAME = "prompts"


class Understood(Protocol):
    """Prompts that were read, and can be asked about faces."""

    @property
    def outputs(self) -> list[dict[str, object]]:
        """Each prompt for `HeadMeta`: name, range, unit, whether it was understood."""
        ...

    @property
    def in_words(self) -> list[str]:
        """What each means, a line for people."""
        ...

    def look(self, views: Sequence[View]) -> Sequence[Reading | None]:
        """One reading for each view."""
        ...


class PromptReader(Protocol):
    """What can read prompts, of one bundle."""

    @property
    def label(self) -> str:
        """Which reader it is, name@version."""
        ...

    @property
    def inputs(self) -> Sequence[str]:
        """What it reads of a face, as a `LensPart`."""
        ...

    def read(self, prompts: Sequence[Prompt]) -> Understood:
        """Raises PromptError where they cannot be read."""
        ...


class PromptLens:
    """A `LensPart` whose outputs are the user's sentences.

    rate_hz: at most so often a second and face; 0 is with every estimate
    """

    def __init__(self, reader: PromptReader, prompts: Understood, *, rate_hz: float = 0.0) -> None:
        self.reader = reader
        self._now = (prompts, self._described(prompts))
        self.inputs = reader.inputs
        self.rate_hz = rate_hz

    @property
    def meta(self) -> HeadMeta:
        """The prompts of now; the same object until they change."""
        return self._now[1]

    @property
    def names(self) -> list[str]:
        """The prompts of now, by name."""
        return [str(one["name"]) for one in self._now[1].outputs]

    @property
    def in_words(self) -> list[str]:
        """What each means, a line for people."""
        return self._now[0].in_words

    def change(self, prompts: Sequence[Prompt]) -> None:
        """Go on with these. Raises PromptError where they cannot be read; the old ones stay then."""
        self.take(self.reader.read(prompts))

    def take(self, prompts: Understood) -> None:
        """Go on with these, which its own reader has read."""
        self._now = (prompts, self._described(prompts))

    def look(self, views: Sequence[View]) -> Sequence[Reading | None]:
        """What the prompts of now say; of one that was not understood there is no value."""
        return self._now[0].look(views)

    def _described(self, prompts: Understood) -> HeadMeta:
        for words, output in zip(prompts.in_words, prompts.outputs, strict=True):
            if output.get("understood") is False:
                log.warning("prompt %s; it has no value", words)
        return HeadMeta(name=NAME, kind=NAME, outputs=prompts.outputs, lens=self.reader.label)
