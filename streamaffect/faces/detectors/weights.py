"""The face detector's weights: BlazeFace short range, one TensorFlow Lite file that every detector here reads."""

import hashlib
from pathlib import Path

from streamaffect.errors import EngineError

SHORT_RANGE_PATH = Path(__file__).parents[2] / "assets" / "face_detection_short_range.tflite"
SHORT_RANGE_SHA256 = "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"


def load_weights(path: Path | None = None, sha256: str = SHORT_RANGE_SHA256) -> bytes:
    """The file's bytes, after its hash has been checked; without a path, the shipped file.

    Raises:
        EngineError: the file cannot be read, or is not the one that `sha256` pins.
    """
    path = path or SHORT_RANGE_PATH
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EngineError(
            f"{path}: cannot read the face detector's weights ({error.strerror}); "
            "reinstall streamaffect or correct the path"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise EngineError(
            f"{path}: the face detector's weights have sha256 {found[:12]}…, expected {sha256[:12]}…; "
            "the file is damaged or another model: reinstall streamaffect or fetch it again"
        )
    return content
