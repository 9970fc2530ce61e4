"""The packages that single outlets need, and what to do where one is not installed."""

from importlib.util import find_spec

from streamaffect.errors import OutletError


def require(module: str, *, extra: str, flag: str) -> None:
    """Raise OutletError, with the command that installs it, where the module of an outlet is not there."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # not even the package that it is part of
        found = None
    if found is None:
        raise OutletError(
            f"{flag} needs the package {module.partition('.')[0]}, which is not installed; "
            f"run: pip install 'streamaffect[{extra}]'"
        )
