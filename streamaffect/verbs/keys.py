"""The verb `keys`: key pairs for an encrypted feed and one of its subscribers."""

import sys
from pathlib import Path

from streamaffect.feed.keys import write_keys
from streamaffect.paths import from_home


def keys(folder: Path, *, client: str, overwrite: bool) -> int:
    """Write the keys and say who needs which; returns the exit code. Raises WireError where it cannot be done."""
    sys.stdout.write(f"{write_keys(from_home(folder), client=client, overwrite=overwrite)}\n")
    return 0
