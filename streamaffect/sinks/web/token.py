"""The token of a page that needs one: read from a file of its owner, compared in constant time, never shown."""

import hashlib
import hmac
import logging
import os
import secrets
from pathlib import Path

from streamaffect.errors import ConfigError
from streamaffect.paths import from_home

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 16, 512
OTHERS = 0o077


class Token:
    """What a browser must know. `cookie` is what it keeps once it has said so: the token cannot be read from it."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self.cookie = hmac.new(self._text, b"streamaffect page", hashlib.sha256).hexdigest()

    def is_it(self, text: str) -> bool:
        """Whether somebody knows the token; takes as long whatever is wrong."""
        return hmac.compare_digest(self._text, text.encode("utf-8", "replace"))

    def is_cookie(self, text: str) -> bool:
        """Whether somebody has said it before."""
        return hmac.compare_digest(self.cookie.encode(), text.encode("utf-8", "replace"))


def read_token(path: str) -> Token:
    """The token in a file, which is made, readable by its owner alone, where there is none.

    Raises ConfigError where it cannot be read or made, where others can read it, and where it could be guessed.
    """
    file = from_home(path)
    try:
        if not file.exists():
            _make(file)
        if file.stat().st_mode & OTHERS:
            raise ConfigError(f"--web-token {path}: can be read by others; `chmod 600` it")
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise ConfigError(f"--web-token {path}: {reason}; give a file with a token, or one that can be made") from None
    if not SHORTEST <= len(text) <= LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"--web-token {path}: expected one word of {SHORTEST} to {LONGEST} letters, digits and signs; remove the "
            "file and it is made anew"
        )
    return Token(text)


def _make(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as made:
        made.write(secrets.token_urlsafe(24) + "\n")
    log.warning("the page's token is in %s, which was made", file)
