"""Small facts that every report holds."""

from datetime import UTC, datetime

from streamaffect.runtime.machine import cpu_name


def now() -> str:
    """UTC to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> str:
    """The processor and its number of cores, as they count for times."""
    import os

    return f"{cpu_name()}, {os.cpu_count()} cores"
