"""Network cameras: RTSP over TCP, and live video over HTTP."""

import cv2

from streamaffect.errors import SourceOpenError
from streamaffect.redaction import redact
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source, SourceInfo, SourceKind
from streamaffect.sources.capture import open_capture, positive
from streamaffect.sources.live import LiveCapture
from streamaffect.sources.probe import probe, wrong_credentials
from streamaffect.types import Frame


class NetworkSource(Source):
    """A live stream at an `rtsp`, `rtsps`, `http` or `https` URL; the newest frame wins."""

    def __init__(self, url: str, *, kind: SourceKind, settings: SourceSettings) -> None:
        self._url = url
        self._label = redact(url)
        self._settings = settings
        self._live = LiveCapture(kind=kind, label=self._label, settings=settings)

    def open(self) -> SourceInfo:
        """Connect and wait for the first picture; again after a stall, connect anew."""
        return self._live.open(self._connect, silence_hint="is the host on, is it a live video stream?")

    def read(self) -> Frame:
        """The newest picture of the stream."""
        return self._live.read()

    def close(self) -> None:
        """Leave the stream."""
        self._live.close()

    def _connect(self) -> cv2.VideoCapture:
        # Half the time, so that its message comes before that of the whole opening.
        answer = probe(self._url, timeout_s=self._settings.open_timeout_s / 2)
        options = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(self._settings.open_timeout_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(self._settings.read_timeout_s * 1000),
            cv2.CAP_PROP_N_THREADS,
            1,
        ]
        capture = open_capture(self._url, backend=cv2.CAP_FFMPEG, options=options)
        if capture is None:
            if answer.status == 401:
                raise wrong_credentials(self._label)
            raise SourceOpenError(f"{self._label}: the host answers, but not with a video that OpenCV can decode")
        if self._is_recording(capture):
            capture.release()
            raise SourceOpenError(f"{self._label}: is a recording, not a live stream; download it and give its path")
        return capture

    def _is_recording(self, capture: cv2.VideoCapture) -> bool:
        return positive(capture.get(cv2.CAP_PROP_FRAME_COUNT)) is not None
