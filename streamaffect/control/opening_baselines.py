"""From settings to the baselines of a run, and to the profile that one of them is kept in."""

import logging
from functools import partial
from pathlib import Path

from streamaffect.affect.baseline import Baseline
from streamaffect.affect.baselines import Baselines
from streamaffect.affect.profile import check_profile, load_profile, write_profile
from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.paths import from_home
from streamaffect.runtime.bundle import Bundle, load_bundle

log = logging.getLogger(__name__)


def open_baselines(config: Config, *, replays: bool) -> Baselines:
    """Raises ConfigError where a profile cannot be used, or would be of several people."""
    settings = config.baseline
    if replays and (settings.seconds or settings.profile):
        raise ConfigError("--baseline and --profile: a recording is played back as it is, with the baselines it has")
    if not settings.profile:
        return Baselines(automatic_s=settings.seconds)
    if len(config.run.sources) > 1:
        raise ConfigError(f"--profile {settings.profile}: is one person's; give one source")
    path = from_home(settings.profile)
    check_profile(path)
    bundle = load_bundle(config.run.bundle or None)
    known = load_profile(path, bundle)
    keep = partial(_keep, path, bundle) if known is None else None
    return Baselines(automatic_s=settings.seconds, profile=known, keep=keep)


def _keep(path: Path, bundle: Bundle, baseline: Baseline) -> None:
    try:
        write_profile(path, baseline, bundle)
    except OSError as error:
        log.error(
            "--profile %s: could not be written (%s); the baseline holds until the run ends", path, error.strerror
        )
    else:
        log.warning("the baseline was kept in %s", path)
