"""Opening models of `transformers` without their libraries' notices: each says nothing that a user could act on."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """Errors only, for the time of the block: no notice that a head is new, no bar for every file."""
    import transformers

    bars: Any = transformers.utils.logging
    logger = logging.getLogger("transformers")
    level, had_bars = logger.level, bars.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    bars.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what the two libraries call of one another
            yield
    finally:
        logger.setLevel(level)
        if had_bars:
            bars.enable_progress_bar()
