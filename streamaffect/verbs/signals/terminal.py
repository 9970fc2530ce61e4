"""Whether a process belongs to a terminal, by which a hang-up of that is told from a signal that somebody has sent."""

import os


def has_terminal() -> bool:
    """True where this process belongs to a terminal; a terminal that was closed is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
