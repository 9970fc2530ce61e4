"""The verb `proxy`: join several feeds into one address, until a signal."""

import logging
from collections.abc import Sequence
from pathlib import Path

from streamaffect.errors import ConfigError
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq.proxy import Proxy
from streamaffect.verbs.descriptors import require_descriptors
from streamaffect.verbs.signals.ending import orderly_end

log = logging.getLogger(__name__)

DESCRIPTORS, DESCRIPTORS_PER_FEED = 32, 6


def proxy(
    feeds: Sequence[str], settings: FeedSettings, *, keys: Sequence[str] = (), max_seconds: float | None = None
) -> int:
    """Join feeds until a signal or `max_seconds`; returns the exit code.

    keys: each "DIR", for all feeds, or "ADDRESS=DIR", for one
    Raises WireError where an address or a key is not usable.
    """
    require_descriptors(DESCRIPTORS + DESCRIPTORS_PER_FEED * len(feeds), what_for=f"{len(feeds)} feed(s)")
    with orderly_end() as ending:
        joined = Proxy(feeds, settings, keys=_by_address(keys))
        try:
            log.warning("%d feed(s) are joined at %s", len(feeds), joined.address)
            ending.start(joined.stop)
            joined.run(max_seconds)
        finally:
            joined.close()
    return 0


def _by_address(keys: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in keys:
        address, _, folder = text.rpartition("=") if "://" in text else ("", "", text)
        if not folder.strip() or ("://" in text and not address):
            raise ConfigError(f"--keys {text}: expected DIR or ADDRESS=DIR")
        found[address] = Path(folder)
    return found
