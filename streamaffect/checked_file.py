"""A file that must be the very one whose hash has been noted."""

import hashlib
from pathlib import Path

from streamaffect.errors import StreamAffectError


def read_checked(file: Path, sha256: str, *, noted_by: str, remedy: str, refusal: type[StreamAffectError]) -> bytes:
    """All that is in it; raises `refusal`, with the remedy, where it cannot be read or is another one.

    noted_by: what names the file and its hash, such as a manifest
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise refusal(f"{file}: cannot be read ({error.strerror}), though {noted_by} names it; {remedy}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise refusal(f"{file}: sha256 is {found[:12]}…, {noted_by} says {sha256[:12]}…; {remedy}")
    return content
