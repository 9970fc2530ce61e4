"""Opening language models without their libraries' notices: each says nothing that a user could act on."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Errors only, for the time of the block: no notice that a head is new, no bar for every file."""
    import transformers

    logger = logging.getLogger("transformers")
    level, had_bars = logger.level, transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what the two libraries call of one another
            yield
    finally:
        logger.setLevel(level)
        if had_bars:
            transformers.utils.logging.enable_progress_bar()
