"""Text that may stand in XML."""

import re

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text with a replacement character for everything that XML 1.0 has no way to write."""
    return _FORBIDDEN.sub("\ufffd", text)
