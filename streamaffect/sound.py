"""Listening: the sound of a file, a network camera or a microphone as blocks, as a plain iteration.

    for block in listen_to("interview.mp4"):
        block.samples      # (N,) float32 in [-1, 1], one channel at 16 kHz
        block.time_s       # since the file's start, as the pictures of the same file are timed

Gaps come as blocks that were not heard, whose zeros take no memory. `SoundRing` keeps the last seconds of blocks and
gives any window of them, with a mask of what was heard.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from streamaffect.errors import ConfigError, SourceEndedError, SourceError, SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.sources.parse import file_and_tracks, kind_of, make_source, split_name
from streamaffect.sources.sound.ear import Ear
from streamaffect.sources.sound.microphone import Microphone
from streamaffect.sources.sound.ring import SoundRing, SoundWindow
from streamaffect.sources.supervise import Backoff, frames
from streamaffect.types import SOUND_RATE_HZ, SoundBlock, SoundClock

log = logging.getLogger(__name__)

__all__ = ["SOUND_RATE_HZ", "SoundBlock", "SoundRing", "SoundWindow", "listen_to"]

POLL_S = 0.5


def listen_to(source: str | Path, *, settings: SourceSettings | None = None) -> Iterator[SoundBlock]:
    """The sound of a source from its beginning to its end; of a live one for as long as somebody takes it.

    source:   a file (`clip.mkv#audio=1` takes another of its tracks), rtsp://…, http://…, "mic" or "mic:NAME"
    settings: how a network camera is opened; as in the section `source` of a configuration

    Raises:
        SourceOpenError: there is no such source, or it has no sound; PortAudio is missing.
        ConfigError: it is of a kind that has none.
    """
    text = str(source)
    kind, _, name = text.partition(":")
    if kind == "mic":
        return _microphone(name.strip())
    spec = text if isinstance(source, Path) else split_name(text)[1]
    match "file" if isinstance(source, Path) else kind_of(spec):
        case "file":
            return _file(spec)
        case "rtsp" | "http":
            return _camera(spec, settings or SourceSettings())
    raise ConfigError(f"{spec}: has no sound; expected a file, rtsp://…, http://…, mic or mic:NAME")


def _file(spec: str) -> Iterator[SoundBlock]:
    from streamaffect.sources.sound_file import read_sound

    path, tracks = file_and_tracks(spec)
    for piece in read_sound(path, rate_hz=SOUND_RATE_HZ, track=tracks.audio):
        yield SoundBlock(piece.samples, piece.time_s, round(piece.time_s * 1e9), piece.heard, piece.time_s)


def _microphone(name: str) -> Iterator[SoundBlock]:
    queue = _Queue()
    microphone = Microphone(name, [queue])
    microphone.open()
    try:
        yield from queue.blocks()
    finally:
        microphone.close()


def _camera(url: str, settings: SourceSettings) -> Iterator[SoundBlock]:
    queue = _Queue()
    with make_source(url, settings=settings, ear=queue) as camera:
        camera.open()
        with _watched(camera, queue, Backoff.of(settings)):
            yield from queue.blocks()


@contextmanager
def _watched(camera: Source, queue: "_Queue", backoff: Backoff) -> Iterator[None]:
    """Keep the camera alive in a thread, which looks away from its pictures."""
    stop = threading.Event()

    def watch() -> None:
        try:
            for _ in frames(camera, stop=stop, on_event=lambda *_: None, backoff=backoff):
                pass
        except SourceError as error:
            queue.end(error)
        else:
            queue.end(None)

    thread = threading.Thread(target=watch, name="listen", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        camera.close()
        thread.join(POLL_S)


class _Queue(Ear):
    """Between the thread of a source and whoever iterates."""

    def __init__(self) -> None:
        self._coming: SimpleQueue[SoundBlock | SourceError | None] = SimpleQueue()

    def blocks(self) -> Iterator[SoundBlock]:
        """Those that come, until there will be no more."""
        while True:
            try:
                coming = self._coming.get(timeout=POLL_S)
            except Empty:  # so that Ctrl-C is heard
                continue
            if isinstance(coming, SoundBlock):
                yield coming
            elif coming is None or isinstance(coming, SourceEndedError):
                return
            else:
                raise coming

    def end(self, error: SourceError | None) -> None:
        self._coming.put(error)

    def hear(self, block: SoundBlock, clock: SoundClock) -> None:  # noqa: ARG002
        self._coming.put(block)

    def absent(self, reason: str) -> None:
        self._coming.put(SourceOpenError(reason))

    def remark(self, text: str) -> None:
        log.warning("%s", text)

    def lost(self, reason: str) -> None:
        self.remark(f"{reason}; it is tried again")
