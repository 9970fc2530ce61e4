"""Lab Streaming Layer's library, and its clock beside ours: for markers that come in and for values that go out."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from streamaffect.clock import monotonic_ns
from streamaffect.errors import ConfigError
from streamaffect.paths import from_home

QUIET = "[log]\nlevel = -3\n"
ATTEMPTS = 5


def load_pylsl(what_for: str) -> Any:
    """The module pylsl. Raises ConfigError, with the command that installs it, where it or liblsl is missing.

    what_for: begins the message, for instance "markers from Lab Streaming Layer need"
    """
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()
        raise ConfigError(
            f"{what_for} pylsl with liblsl ({reason[0] if reason else type(error).__name__}); run: "
            "pip install 'streamaffect[lsl]'"
        ) from error
    _quieten(pylsl)
    return pylsl


def lsl_ahead_ns(lsl: Any) -> int:
    """How far LSL's clock is ahead of our monotonic one: the closest of several readings of both."""
    readings = []
    for _ in range(ATTEMPTS):
        before_ns = monotonic_ns()
        theirs_ns = round(lsl.local_clock() * 1e9)
        took_ns = monotonic_ns() - before_ns
        readings.append((took_ns, theirs_ns - before_ns - took_ns // 2))
    return int(min(readings)[1])


@cache
def _quieten(pylsl: Any) -> None:
    """Keep liblsl from writing over a display, unless the user has settings of their own for it. Once, before use."""
    places = (Path("lsl_api.cfg"), Path("~/lsl_api/lsl_api.cfg"), Path("/etc/lsl_api/lsl_api.cfg"))
    if "LSLAPICFG" not in os.environ and not any(from_home(place).exists() for place in places):
        pylsl.set_config_content(QUIET)
