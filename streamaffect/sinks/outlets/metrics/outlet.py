"""Metrics for Prometheus, and two questions of whoever runs services: is it alive, and is it ready?"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from streamaffect.errors import OutletError
from streamaffect.messages import Estimate, Event, Health, Message, Meta
from streamaffect.settings import MetricsSettings
from streamaffect.sinks.outlets.address import HostPort, parse_host_port
from streamaffect.sinks.outlets.metrics.families import Counted, Instruments, families
from streamaffect.sinks.outlets.metrics.server import Answer, MetricsServer
from streamaffect.sinks.outlets.packages import require
from streamaffect.sinks.outlets.slots import REMOVES
from streamaffect.sinks.publishing import Distribution

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ALIVE_S: Final = 15.0  # a run says something each second; a recording that is replayed may be silent for longer
TEXT: Final = "text/plain; charset=utf-8"


class MetricsOutlet:
    """A sink that counts, and answers over HTTP at an address of its own.

    address: the one that was bound
    Raises OutletError where the address is none, in use or open to others, or where prometheus-client is missing.
    """

    name: Final = "metrics"

    def __init__(self, settings: MetricsSettings, instruments: Instruments, *, insecure: bool = False) -> None:
        require("prometheus_client", extra="metrics", flag="--metrics")
        where = parse_host_port(settings.bind, key="metrics.bind", example="127.0.0.1:9464")
        if not (where.is_local or insecure or settings.insecure_bind):
            raise OutletError(
                f"metrics.bind {where} can be reached from other machines: use 127.0.0.1, or allow it with "
                "--set metrics.insecure_bind=true"
            )
        self._instruments = instruments
        self._metas: dict[str, Meta] = {}
        self._healths: dict[str, Health] = {}
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._stages: defaultdict[str, defaultdict[str, Distribution]] = defaultdict(lambda: defaultdict(Distribution))
        self._frames: dict[str, int] = {}
        self._heard_s = time.monotonic()
        self._server = MetricsServer(where, self._respond)
        self.address = HostPort(where.host, self._server.port, where.is_local)

    def send(self, message: Message) -> None:
        """Count."""
        self._heard_s = time.monotonic()
        match message:
            case Meta():
                self._metas[message.stream] = message
            case Health():
                self._healths[message.stream] = message
            case Estimate():
                self._count(message)
            case Event() if message.event in REMOVES:
                for kept in (self._metas, self._healths, self._statuses, self._stages, self._frames):
                    kept.pop(message.stream, None)

    def close(self) -> None:
        """Answer nothing more."""
        self._server.close()

    def collect(self) -> "Iterator[Metric]":
        """All metrics as of now, as a collector of prometheus-client."""
        counted = {
            stream: Counted(dict(statuses), dict(self._stages.get(stream, {})))
            for stream, statuses in self._statuses.copy().items()
        }
        metas, healths = self._metas.copy().values(), self._healths.copy().values()
        yield from families(metas, healths, counted, self._instruments)

    def _count(self, estimate: Estimate) -> None:
        self._statuses[estimate.stream][estimate.status] += 1
        # All faces of a frame have been through the same stages together.
        if estimate.refines is None and self._frames.get(estimate.stream) != estimate.t_capture_ns:
            self._frames[estimate.stream] = estimate.t_capture_ns
            for stage, milliseconds in estimate.latency_ms.items():
                if stage != "total":
                    self._stages[estimate.stream][stage].add(milliseconds / 1e3)

    def _respond(self, path: str, accept: str) -> Answer | None:
        match path:
            case "/metrics":
                from prometheus_client.exposition import choose_encoder

                encode, kind = choose_encoder(accept)
                return Answer(200, kind, encode(self))
            case "/livez":
                return _verdict(self._ails())
            case "/readyz":
                return _verdict(self._ails() or self._lacks())
        return None

    def _ails(self) -> str:
        """Why the run counts as dead; empty where it lives."""
        silent_s = time.monotonic() - self._heard_s
        return f"no message for {silent_s:.0f} s" if silent_s > ALIVE_S else ""

    def _lacks(self) -> str:
        """Why no estimates come; empty where at least one stream gives some."""
        states = {stream: health.state for stream, health in self._healths.copy().items()}
        if "live" in states.values():
            return ""
        return "; ".join(f"{stream}: {state}" for stream, state in states.items()) or "starting"


def _verdict(complaint: str) -> Answer:
    return Answer(503 if complaint else 200, TEXT, f"{complaint or 'ok'}\n".encode())
