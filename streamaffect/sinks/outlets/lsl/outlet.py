"""Outlets of Lab Streaming Layer: one for each place of a face, and one for the markers of each stream and its voice.

They are there from the start, whether anybody is in view or not, since a recorder is set up before the participant
comes. Time stamps are capture times on LSL's own clock.
"""

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from streamaffect.feed.lab_streaming import load_pylsl
from streamaffect.messages import Estimate, Event, Message, Meta, Voice
from streamaffect.recordings.export.episodes import marker_text
from streamaffect.recordings.export.xdf import voice_sample
from streamaffect.settings import LslSettings
from streamaffect.sinks.outlets.lsl.channels import VOICE, Described, channels_of, nothing, sample
from streamaffect.sinks.outlets.lsl.grid import Grid, Sample
from streamaffect.sinks.outlets.lsl.local_clock import LslTime
from streamaffect.sinks.outlets.packages import require
from streamaffect.sinks.outlets.slots import ENDS, REMOVES, Slots

log = logging.getLogger(__name__)

LATE_S: Final = 0.4  # so long a tick waits for estimates that are still being made


class LslOutlet:
    """A sink that offers affect, markers and voices in the lab's network.

    replays: times are those of a recording
    Raises OutletError where pylsl or liblsl is missing.
    """

    name: Final = "lsl"
    idle_s: Final = 0.1

    def __init__(self, settings: LslSettings, *, replays: bool = False) -> None:
        require("pylsl", extra="lsl", flag="--lsl")
        self._lsl = load_pylsl("--lsl needs")
        self._settings = settings
        self._replays = replays
        self._time = LslTime(self._lsl)
        self._slots = Slots(settings.slots, setting="lsl.slots")
        self._streams: dict[str, _Stream] = {}

    def send(self, message: Message) -> None:
        """Offer what the message says; health has no outlet, and refined estimates come too late for one."""
        match message:
            case Meta() if message.stream not in self._streams:
                self._streams[message.stream] = _Stream(self._lsl, self._settings, message)
            case Estimate() if message.refines is None and message.stream in self._streams:
                self._estimate(message)
            case Voice() if message.stream in self._streams:
                at_s = self._at(message.stream, message.t_capture_ns)
                self._streams[message.stream].hear(at_s, voice_sample(message))
            case Event() if message.stream in self._streams:
                self._event(message)
        self.idle()

    def idle(self) -> None:
        """Live, keep the rate where nothing is estimated."""
        until_s = self._time.now_s() - LATE_S
        for stream in self._streams.values():
            if stream.live:
                stream.tick(until_s)

    def close(self) -> None:
        """Withdraw the outlets."""
        self._streams.clear()

    def _estimate(self, estimate: Estimate) -> None:
        slot = self._slots.of(estimate)
        if slot is not None:
            at_s = self._at(estimate.stream, estimate.t_capture_ns)
            self._streams[estimate.stream].put(slot - 1, at_s, estimate)

    def _at(self, stream: str, t_ns: int) -> float:
        if self._replays or not self._streams[stream].captured_now:
            return self._time.laid_down(stream, t_ns)
        return self._time.of(t_ns)

    def _event(self, event: Event) -> None:
        stream = self._streams[event.stream]
        stream.mark(self._at(event.stream, event.t_ns), marker_text(event))
        for slot in self._slots.leave(event):
            stream.leave(slot - 1)
        if event.event in ENDS:
            self._time.forget(event.stream)
            stream.live = False
        if event.event in REMOVES:
            del self._streams[event.stream]


class _Stream:
    """The outlets of one stream.

    captured_now: its times are of now
    live:         time goes on by itself
    """

    def __init__(self, lsl: Any, settings: LslSettings, meta: Meta) -> None:
        self.live = self.captured_now = meta.live
        self._lsl, self._meta = lsl, meta
        self._channels = channels_of(meta)
        self._grid = Grid(settings.rate, settings.slots, nothing(self._channels)) if settings.rate else None
        described = [channel.described for channel in self._channels]
        form = _Form("Affect", len(described), "double64", settings.rate)
        self._faces = [
            lsl.StreamOutlet(_listed_info(lsl, meta, f"face {slot}", form, described))
            for slot in range(1, settings.slots + 1)
        ]
        self._markers = lsl.StreamOutlet(_info(lsl, meta, "markers", _Form("Markers", 1, "string")))
        self._voice = self._open_voice() if any(head.name == "voice" for head in meta.heads) else None

    def put(self, place: int, at_s: float, estimate: Estimate) -> None:
        values = sample(self._channels, estimate)
        if self._grid is None:
            self._faces[place].push_sample(values, at_s)
            return
        self._grid.start(at_s)
        self.tick(at_s)
        self._grid.put(place, at_s, values)

    def leave(self, place: int) -> None:
        if self._grid is not None:
            self._grid.clear(place)

    def hear(self, at_s: float, values: Sample) -> None:
        if self._voice is None:  # of a recording whose streams do not say that they have one
            self._voice = self._open_voice()
        self._voice.push_sample(list(values), at_s)

    def mark(self, at_s: float, text: str) -> None:
        self._markers.push_sample([text], at_s)

    def tick(self, until_s: float) -> None:
        if self._grid is not None:
            for at_s, samples in self._grid.due(until_s):
                self._push(at_s, samples)

    def _open_voice(self) -> Any:
        form = _Form("Voice", len(VOICE), "double64")
        return self._lsl.StreamOutlet(_listed_info(self._lsl, self._meta, "voice", form, VOICE))

    def _push(self, at_s: float, samples: list[Sample]) -> None:
        for outlet, values in zip(self._faces, samples, strict=True):
            outlet.push_sample(list(values), at_s)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the samples of an outlet are like; a rate of 0 is an irregular one."""

    kind: str
    channels: int
    format: str
    rate_hz: float = 0.0


def _listed_info(lsl: Any, meta: Meta, part: str, form: _Form, channels: Sequence[Described]) -> Any:
    """The description of an outlet of numbers, with that of each channel."""
    info = _info(lsl, meta, part, form)
    listed = info.desc().append_child("channels")
    for label, unit, type in channels:
        described = listed.append_child("channel")
        described.append_child_value("label", label)
        described.append_child_value("unit", unit)
        described.append_child_value("type", type)
    return info


def _info(lsl: Any, meta: Meta, part: str, form: _Form) -> Any:
    """The description of one outlet. Its source id is the same at every start, so that inlets find it again."""
    name = f"streamaffect {meta.stream} {part}"
    source_id = f"streamaffect {socket.gethostname()} {meta.stream} {part}"
    info = lsl.StreamInfo(name, form.kind, form.channels, form.rate_hz or lsl.IRREGULAR_RATE, form.format, source_id)
    acquisition = info.desc().append_child("acquisition")
    for key, value in (
        ("manufacturer", meta.software),
        ("model", meta.model),
        ("bundle_sha256", meta.bundle_sha256),
        ("notice", meta.notice),
    ):
        acquisition.append_child_value(key, value)
    return info
