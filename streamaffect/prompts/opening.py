"""From settings to the lens of prompts: EmoCLIP where the bundle is one with a text encoder, else the phrase bank."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from streamaffect.errors import BundleError, PromptError
from streamaffect.lenses.finding import lens_folders, open_lenses
from streamaffect.lenses.graph import GraphLens
from streamaffect.lenses.view import LensPart, Medium
from streamaffect.paths import from_home
from streamaffect.prompts.by_clip import ClipReader, has_text_encoder
from streamaffect.prompts.by_phrases import EMOTIONS, PhraseReader
from streamaffect.prompts.compiled import read_compiled
from streamaffect.prompts.lens import PromptLens, PromptReader, Understood
from streamaffect.prompts.reading import BETWEEN, COMPILED, EXAMPLE, file_of, given_prompts
from streamaffect.runtime.bundle import Bundle

UNITS = "units"


def open_prompts(
    bundle: Bundle, words: str, *, rate_hz: float = 0.0, of: Medium = "stream", beside: Sequence[LensPart] = ()
) -> PromptLens:
    """The lens that `--prompts` asks for.

    words:  prompts with semicolons between them, or a file
    beside: the other lenses of the run, of which the action units are taken if they are the same

    Raises PromptError where they cannot be read, BundleError where the bundle's own text encoder is damaged.
    """
    reader = open_reader(bundle, of=of, beside=beside)
    return PromptLens(reader, read_words(words, reader), rate_hz=rate_hz)


def open_reader(bundle: Bundle, *, of: Medium = "stream", beside: Sequence[LensPart] = ()) -> PromptReader:
    """What reads prompts for this bundle. Raises PromptError where nothing can."""
    if has_text_encoder(bundle):
        return ClipReader(bundle)
    emotions = next((head for head in bundle.manifest.published_heads if head.name == EMOTIONS), None)
    if emotions is None:
        raise PromptError(
            f"--prompts: {bundle.manifest.label} has neither a head {EMOTIONS!r}, whose words the phrase bank knows, "
            "nor a text encoder as bundles of EmoCLIP have; take the shipped bundle, or export EmoCLIP's again"
        )
    return PhraseReader([output.name for output in emotions.outputs], _units(bundle, of, beside))


def read_words(words: str, reader: PromptReader) -> Understood:
    """Prompts, or those of a file, compiled or not. Raises PromptError where they cannot be read."""
    file = file_of(words)
    if file is None and _is_file(words):
        raise PromptError(
            f"{words.strip()}: is a file; prompts are read from TOML, whose name ends in .toml and which holds a line "
            f"{EXAMPLE}"
        )
    if file is None or not is_compiled(file):
        return reader.read(given_prompts(words))
    if not isinstance(reader, PhraseReader):
        raise PromptError(f"{file}: compiled prompts are for the phrase bank; this bundle reads prompts by itself")
    return reader.take(read_compiled(file).prompts)


def _is_file(words: str) -> bool:
    with suppress(OSError, ValueError):  # a sentence may be too long for a name, or hold what none can
        return BETWEEN not in words and from_home(words.strip()).is_file()
    return False


def is_compiled(file: Path) -> bool:
    """True for the name of a file of compiled prompts."""
    return file.suffix.lower() == COMPILED


def _units(bundle: Bundle, of: Medium, beside: Sequence[LensPart]) -> LensPart | None:
    """The lens of action units, where it is one of this bundle's encoder."""
    if UNITS not in lens_folders(bundle):
        return None
    try:
        lenses: Sequence[LensPart] = [GraphLens(lens, of=of) for lens in open_lenses([UNITS], bundle)]
    except BundleError:  # of another encoder: emotions alone are known then
        return None
    same = [lens for lens in beside if lens.meta == lenses[0].meta]
    return same[0] if same else lenses[0]
