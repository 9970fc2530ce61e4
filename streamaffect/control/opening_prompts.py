"""From settings to the prompts of a run that change while it goes on."""

from collections.abc import Sequence
from contextlib import ExitStack

from streamaffect.control.desk import Desk
from streamaffect.lenses.view import LensPart
from streamaffect.prompts.lens import PromptLens
from streamaffect.prompts.opening import read_words
from streamaffect.prompts.reading import file_of
from streamaffect.prompts.watch import PromptFile

ORIGIN = "file"


def prompts_among(lenses: Sequence[LensPart]) -> PromptLens | None:
    """The lens of prompts, where there is one."""
    return next((lens for lens in lenses if isinstance(lens, PromptLens)), None)


def watch_prompts(desk: Desk, words: str, stack: ExitStack) -> None:
    """Read the file that the words name again whenever it changes, until the stack ends; prompts alone have none."""
    lens, file = desk.prompts, file_of(words)
    if lens is None or file is None:
        return

    def take() -> None:
        lens.take(read_words(words, lens.reader))
        desk.tell_of_prompts(lens, origin=ORIGIN)

    stack.callback(PromptFile(file, take).close)
