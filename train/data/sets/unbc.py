"""UNBC-McMaster shoulder pain archive in its official layout: frames of people, and a pain intensity for each.

<root>/Images/<subject>/<sequence>/<frame>.png
<root>/Frame_Labels/PSPI/<subject>/<sequence>/<frame>_facs.txt   its Prkachin and Solomon intensity, 0 to 16
"""

from pathlib import Path

from ...errors import DataError
from .subject_list import SubjectPicture

PAIN_FROM = 1.0  # of the intensity


def load_unbc(root: Path, *, every: int = 1) -> list[SubjectPicture]:
    """The frames of all subjects in order: label 1 from an intensity of `PAIN_FROM` on, else 0.

    every: of the frames of a sequence without pain, which are nine in ten, one of so many is kept

    Raises DataError if a folder is missing, or the label of a frame is missing or no number.
    """
    images, labels = root / "Images", root / "Frame_Labels" / "PSPI"
    for folder in (images, labels):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; --data takes the one that holds Images and Frame_Labels")
    pictures = []
    for sequence in sorted(path for path in images.glob("*/*") if path.is_dir()):
        for number, frame in enumerate(sorted(sequence.glob("*.png"))):
            subject = sequence.parent.name
            intensity = _intensity(labels / subject / sequence.name / f"{frame.stem}_facs.txt")
            if intensity >= PAIN_FROM or number % every == 0:
                pictures.append(SubjectPicture(frame, int(intensity >= PAIN_FROM), subject))
    if not pictures:
        raise DataError(f"{images}: holds no frame; expected <subject>/<sequence>/<frame>.png")
    return pictures


def _intensity(file: Path) -> float:
    try:
        return float(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); every frame needs its intensity") from error
    except ValueError as error:
        raise DataError(f"{file}: expected one number ({error})") from error
