"""Network cameras: RTSP, and live video over HTTP."""

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source, SourceInfo, SourceKind
from streamaffect.sources.grabber import Capture
from streamaffect.sources.live import LiveCapture
from streamaffect.sources.pacing import LivePacer
from streamaffect.sources.pyav import load_pyav
from streamaffect.sources.remote.address import Address, Reach
from streamaffect.sources.remote.limits import Limits, Patience
from streamaffect.sources.remote.lines import Lines
from streamaffect.sources.remote.question import Asker
from streamaffect.sources.remote.resolver import Resolver
from streamaffect.sources.sound.ear import Ear
from streamaffect.sources.sound.live_line import LiveLine
from streamaffect.types import Frame


class NetworkSource(Source):
    """A live stream at an `rtsp`, `rtsps`, `http` or `https` URL; the newest frame wins.

    ear: is told what is heard, all of it; None asks for pictures alone
    """

    def __init__(self, url: str, *, kind: SourceKind, settings: SourceSettings, ear: Ear | None = None) -> None:
        self._address = Address.of(url)
        self._label = self._address.label
        self._settings = settings
        self._resolver = Resolver()
        self._patience = Patience(settings.open_timeout_s)
        self._sound = None if ear is None else LiveLine(ear)
        self._live = LiveCapture(kind=kind, label=self._label, settings=settings)

    def open(self) -> SourceInfo:
        """Connect and wait for the first picture; again after a stall, connect anew, with less patience."""
        attempt = _Attempt(self._patience.next())
        return self._live.open(
            lambda: self._connect(attempt),
            cancel=attempt.cancel,
            silence_hint="is the host on, is it a live video stream?",
        )

    def read(self) -> Frame:
        """The newest picture of the stream."""
        return self._live.read()

    def close(self) -> None:
        """Leave the stream."""
        self._live.close()

    def _connect(self, attempt: "_Attempt") -> Capture:
        reach = Reach(self._address, self._settings.redirect_hosts)
        asker = Asker(reach, attempt.lines, self._resolver, attempt.limits)
        started_ns = monotonic_ns()
        try:
            camera = self._open(asker, attempt)
        except BaseException:
            attempt.lines.close()
            raise
        self._patience.worked(asked_s=asker.took_s, opened_s=(monotonic_ns() - started_ns) / 1e9)
        return camera

    def _open(self, asker: Asker, attempt: "_Attempt") -> Capture:
        try:
            load_pyav()
            from streamaffect.sources.remote.http import open_http
            from streamaffect.sources.remote.rtsp import open_rtsp
        except ImportError as error:
            raise SourceOpenError(f"{self._label}: network cameras need PyAV; pip install av") from error
        silence_s = self._settings.read_timeout_s
        if self._address.is_rtsp:
            transport = self._settings.rtsp_transport
            return open_rtsp(
                self._address,
                asker,
                label=self._label,
                transport=transport,
                silence_s=silence_s,
                sound=self._sound,
                hwaccel=self._settings.hwaccel,
            )
        return open_http(
            self._address, asker, label=self._label, silence_s=silence_s, pacer=attempt.pacer, sound=self._sound
        )


class _Attempt:
    """One try to open the stream, and what comes of it, which anybody may cancel."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.lines = Lines()
        self.pacer = LivePacer()

    def cancel(self) -> None:
        """End what it waits for."""
        self.lines.cut()
        self.pacer.stop()
