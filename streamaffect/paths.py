"""Paths as users write them in settings, where no shell has seen them."""

from pathlib import Path


def from_home(path: str | Path) -> Path:
    """The path, with `~` for the user's home; of somebody who has none here, it stays as it is."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # nobody has such a name, or nobody can
        return Path(path)
