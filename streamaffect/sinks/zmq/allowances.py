"""How much the hosts of subscribers may cost a feed.

A connection costs everybody something when it comes, by what it subscribes to, and when it goes. A host whose programs
connect and subscribe as usual spends little of its allowance; one that connects again and again, each time with all
that a connection may subscribe to, has soon spent it. It is not let in then until some of it has come back.
"""

import ipaddress
import threading
import time

BURST_BYTES = 1 << 18  # of a host, at once: four connections with all that each may ask for, or hundreds of usual ones
REFILL_BYTES_PER_S = 2048.0
HANDSHAKE_BYTES = 256  # what coming and going costs, in these terms
MOST_HOSTS = 4096


class Allowances:
    """What is left of each host's allowance, in bytes; for any thread."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # bytes, as of when; who spent last stands last
        self._lock = threading.Lock()

    def spend(self, address: str, size: int) -> bool:
        """Take from the allowance of the host at this address; False where it was used up before."""
        host, now_s = _host(address), time.monotonic()
        with self._lock:
            left, at_s = self._left.pop(host, (float(BURST_BYTES), now_s))
            left = min(BURST_BYTES, left + (now_s - at_s) * REFILL_BYTES_PER_S)
            has_some = left > 0.0
            self._left[host] = (max(left - size, -float(BURST_BYTES)) if has_some else left, now_s)
            while len(self._left) > MOST_HOSTS:
                del self._left[next(iter(self._left))]
        return has_some


def _host(address: str) -> str:
    """What counts as one host: of IPv6 a network of 64 bits, since one computer has as many addresses as it likes."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # none, of an ipc socket
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
