"""How either end of a feed notices that the other has vanished without a good-bye: its host, or the way to it.

The system's own means do it, which every system at the other end answers. ZeroMQ's heartbeats would notice no more, and
libzmq 4.3.5 ends the whole process where one is due to a peer that has gone while its messages were waiting to be read
(`Assertion failed: !_io_error`, issue 4364 of libzmq): any peer could end a feed by that.
"""

from types import MappingProxyType
from typing import Final

import zmq

IDLE_S, PROBE_S, PROBES = 3, 2, 3  # a connection at rest is asked after so long, and so often, until it ends
UNANSWERED_MS = 10_000  # what was sent and not taken for so long ends it too: also where the other end has stopped

ALIVE: Final = MappingProxyType[int, int](
    {
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: IDLE_S,
        zmq.TCP_KEEPALIVE_INTVL: PROBE_S,
        zmq.TCP_KEEPALIVE_CNT: PROBES,
        zmq.TCP_MAXRT: UNANSWERED_MS,
    }
)
