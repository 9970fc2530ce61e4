"""pylsl with liblsl, and nothing of what liblsl would write over a display."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from streamaffect.errors import OutletError
from streamaffect.paths import from_home
from streamaffect.sinks.outlets.packages import require

QUIET = "[log]\nlevel = -3\n"


def load_pylsl() -> Any:
    """The module. Raises OutletError, with what to do, where it or liblsl is missing."""
    require("pylsl", extra="lsl", flag="--lsl")
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()
        raise OutletError(
            f"--lsl: pylsl finds no liblsl ({reason[0] if reason else type(error).__name__}); install liblsl from "
            "https://github.com/sccn/liblsl/releases, or name its file in PYLSL_LIB"
        ) from error
    _quieten(pylsl)
    return pylsl


@cache
def _quieten(pylsl: Any) -> None:
    """Once, before its first use, and only where the user has no settings of their own for it."""
    places = (Path("lsl_api.cfg"), Path("~/lsl_api/lsl_api.cfg"), Path("/etc/lsl_api/lsl_api.cfg"))
    if "LSLAPICFG" not in os.environ and not any(from_home(place).exists() for place in places):
        pylsl.set_config_content(QUIET)
