"""Which lenses there are, and what the words of `--lens` name."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from streamaffect.errors import LensError
from streamaffect.lenses.loading import Lens, check_fit, read_lens
from streamaffect.lenses.manifest import MANIFEST
from streamaffect.paths import from_home
from streamaffect.runtime.bundle import Bundle, default_bundle_path
from streamaffect.runtime.manifest import FRAME_ENCODER

ALL = "all"
MESH = "mesh"  # no folder, but a file of MediaPipe: see `streamaffect.lenses.mesh`
# What stands among an estimate's outputs and is no lens of a folder, and what brings it.
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "prompts": '--prompts "she is beaming; about to cry"',
        "voice": "--sound auto or --sound mic",
        "text": "--describe --llm DIR",
        "me": "--lens me=DIR, of a folder that streamaffect personalise has made",
    }
)
FOLDER = "lenses"  # beside the shipped bundle, and inside of any bundle


def lens_folders(bundle: Bundle) -> dict[str, Path]:
    """The folders of lenses by name: those inside the bundle, and those that are shipped."""
    places = (default_bundle_path().parent / FOLDER, bundle.path / FOLDER)
    found = (file.parent for place in places for file in sorted(place.glob(f"*/{MANIFEST}")))
    return dict(sorted((folder.name, folder) for folder in found))


def open_lenses(words: Sequence[str], bundle: Bundle) -> list[Lens]:
    """The lenses that `--lens` names, checked: each "NAME", "NAME=DIR", or "all" for those of this bundle's encoder
    that belong to all.

    Raises LensError, or BundleError where a graph is altered.
    """
    folders: dict[str, Path] = {}
    known = lens_folders(bundle)
    for word in words:
        name, equals, folder = word.strip().partition("=")
        if equals:
            folders[_checked_name(word, name.strip())] = from_home(folder.strip())
        elif name == ALL:
            folders = {lens.name: lens.path for lens in _of_encoder(known, bundle)} | folders
        elif name:
            folders[name] = known[name] if name in known else _unknown(name, known)
    lenses = [read_lens(folder, name) for name, folder in folders.items()]
    for lens in lenses:
        check_fit(lens, bundle)
    return lenses


def _of_encoder(known: dict[str, Path], bundle: Bundle) -> list[Lens]:
    encoder = bundle.manifest.graphs[FRAME_ENCODER].sha256
    lenses = [read_lens(folder, name) for name, folder in known.items()]
    fit = [lens for lens in lenses if lens.manifest.encoder == encoder and lens.manifest.in_all]
    if not fit:
        raise LensError(f"--lens {ALL}: no lens belongs to the frame encoder of {bundle.manifest.label}")
    return fit


def _unknown(name: str, known: dict[str, Path]) -> Path:
    if name in ELSEWHERE:
        raise LensError(f"--lens {name}: {name} comes by other words, {ELSEWHERE[name]}")
    names = [*known, MESH]
    close = difflib.get_close_matches(name, names, n=1)
    advice = f"did you mean {close[0]}?" if close else f"known ones are {', '.join(names)}, or NAME=DIR"
    raise LensError(f"--lens {name}: there is no such lens; {advice}")


def _checked_name(word: str, name: str) -> str:
    if not name.isidentifier():
        raise LensError(f"--lens {word}: {name!r} is no name; letters, digits and _ are, e.g. mine=path/to/folder")
    return name
