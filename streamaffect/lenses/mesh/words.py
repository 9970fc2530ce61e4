"""Which of the words of `--lens` mean the landmarker, and the lens that they ask for."""

from streamaffect.lenses.mesh.landmarker import find_task
from streamaffect.lenses.mesh.lens import NAME, MeshLens
from streamaffect.paths import from_home
from streamaffect.settings import LensSettings

ENDING = ".task"


def mesh_of(settings: LensSettings) -> tuple[list[MeshLens], list[str]]:
    """The lens, where "mesh", "mesh=FILE" or "NAME=FILE.task" ask for it, and the words that mean others.

    Raises LensError where its file is missing, or another one.
    """
    found: dict[str, MeshLens] = {}
    others = []
    for word in settings.use:
        name, _, file = (part.strip() for part in word.partition("="))
        if not _is_mesh(name, file):
            others.append(word)
            continue
        found[name] = MeshLens(find_task(file), name=name, points=settings.mesh_points, rate_hz=settings.rate_hz)
    return list(found.values()), others


def _is_mesh(name: str, file: str) -> bool:
    """A folder of that name holds a lens of the user's own."""
    return file.endswith(ENDING) if name != NAME else not (file and from_home(file).is_dir())
