"""A baseline in a file, so that it need not be taken again: numbers alone; whose they are is the user's to say."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from streamaffect.affect.baseline import Baseline
from streamaffect.errors import ConfigError
from streamaffect.runtime.bundle import Bundle

MAX_BYTES = 1 << 16
MODE = 0o600


class Profile(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="profile"):
    """What stands in the file; `model` and `bundle_sha256` say which bundle has measured it."""

    v: Literal[1] = 1
    model: str
    bundle_sha256: str
    baseline: Baseline


def load_profile(path: Path, bundle: Bundle) -> Baseline | None:
    """The baseline in a file; None where there is no such file yet.

    Raises ConfigError where it is no profile, or one of another bundle, whose numbers mean something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
        profile = msgspec.json.decode(content, type=Profile)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"--profile {path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"--profile {path}: is no profile ({error}); name a file that is not there yet") from None
    if profile.bundle_sha256 != bundle.sha256:
        raise ConfigError(
            f"--profile {path}: was taken with the bundle {profile.model} ({profile.bundle_sha256[:12]}…), and this "
            f"run has {bundle.manifest.label} ({bundle.sha256[:12]}…); take a new baseline in another file"
        )
    return profile.baseline


def check_profile(path: Path) -> None:
    """Raise ConfigError where a new profile could not be written there."""
    if not path.parent.is_dir():
        raise ConfigError(f"--profile {path}: there is no folder {path.parent}; create it first")
    if not path.exists() and not os.access(path.parent, os.W_OK):
        raise ConfigError(f"--profile {path}: its folder cannot be written")


def write_profile(path: Path, baseline: Baseline, bundle: Bundle) -> None:
    """Write a new file, for its owner alone. Raises OSError, also where one exists: none is replaced."""
    profile = Profile(model=bundle.manifest.label, bundle_sha256=bundle.sha256, baseline=baseline)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
