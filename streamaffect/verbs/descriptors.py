"""How many files the process may open: looked at before native libraries come to need them, some of which abort."""

import resource

from streamaffect.errors import ConfigError

USUAL = 256


def require_descriptors(needed: int, *, what_for: str) -> None:
    """Raise the limit where it is too low and that is allowed. Raises ConfigError where it stays too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard == resource.RLIM_INFINITY or hard >= needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return
    raise ConfigError(
        f"this process may open {soft} files at once, and {needed} are needed for {what_for}; "
        f"allow it more with `ulimit -n {max(needed, USUAL)}`, or LimitNOFILE= in a systemd unit"
    )
