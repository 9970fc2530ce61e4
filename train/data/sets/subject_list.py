"""Pictures of people in a list, as subject-based adaptation reads them: one file of sources, one of the target.

<relative path of a picture> <label>      one line per picture
sub_img_red_classes/<subject>/<class>/<frame>.jpg
"""

from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError


@dataclass(frozen=True, slots=True)
class SubjectPicture:
    """One picture, its label, and who is on it: the folder above its class."""

    path: Path
    label: int
    subject: str


def load_subject_list(root: Path, name: str) -> list[SubjectPicture]:
    """Every line of `<root>/<name>.txt`; the published reader takes the first one for a heading and loses it.

    Raises DataError if the file or a picture is missing, or a line is not as described.
    """
    path = root / f"{name}.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return [_picture(root, line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _picture(root: Path, line: str, where: str) -> SubjectPicture:
    relative, _, label = line.strip().rpartition(" ")
    picture = root / relative
    if not label.isdigit() or len(Path(relative).parts) < 3:
        raise DataError(f"{where}: expected '<…/subject/class/frame> <label>', found '{line}'")
    if not picture.is_file():
        raise DataError(f"{where}: the picture {picture} is missing")
    return SubjectPicture(picture, int(label), picture.parent.parent.name)
