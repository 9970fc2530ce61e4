"""Which of the words of `--lens` mean a personal lens."""

from collections.abc import Sequence

from streamaffect.errors import LensError
from streamaffect.paths import from_home
from streamaffect.personal.lens import PersonalLens
from streamaffect.personal.lens_file import PERSONAL
from streamaffect.runtime.bundle import Bundle


def personal_of(words: Sequence[str], bundle: Bundle) -> tuple[list[PersonalLens], list[str]]:
    """The personal lenses that words such as "me=path/to/folder" name, and the words that mean others.

    Raises LensError where one is damaged, or of another bundle.
    """
    found: dict[str, PersonalLens] = {}
    others = []
    for word in words:
        name, _, text = (part.strip() for part in word.partition("="))
        folder = from_home(text)
        if not text or not (folder / PERSONAL).is_file():
            others.append(word)
            continue
        if not name.isidentifier() or name in {head.name for head in bundle.manifest.heads}:
            raise LensError(f"--lens {word}: {name!r} cannot be its name; take another, e.g. me={text}")
        found[name] = PersonalLens(folder, name, bundle)
    return list(found.values()), others
