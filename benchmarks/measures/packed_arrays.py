"""Reading npz files that others have made: the arrays that are asked for, or one line that says what is wrong."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from streamaffect.errors import ConfigError

# What numpy and zipfile raise for files that are cut off, damaged, or something else than they are called.
BROKEN = (OSError, ValueError, TypeError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def read_arrays(file: Path, *names: str) -> dict[str, np.ndarray]:
    """Those of the named arrays that the file has. Each is read once: an npz reads it from disk at every access.

    Raises:
        ConfigError: the file is no npz, is damaged, or holds one of the arrays as pickled objects.
    """
    try:
        # Opened here: numpy leaves a file open that it cannot read.
        with file.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names if name in arrays.files}
    except BROKEN:
        raise ConfigError(
            f"{file}: cannot be read as npz: damaged, cut off, or with pickled objects; copy it again"
        ) from None
