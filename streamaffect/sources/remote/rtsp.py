"""RTSP: the host is asked first, so that what is wrong can be said; FFmpeg then plays what it has described."""

import re
from dataclasses import dataclass, replace

import av
from av.container import InputContainer
from av.error import (
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPOtherClientError,
    HTTPServerError,
    HTTPUnauthorizedError,
    InvalidDataError,
)

from streamaffect.errors import SourceError, SourceForbiddenError, SourceOpenError
from streamaffect.sources.remote.address import Address
from streamaffect.sources.remote.camera import SHORT_ANALYSIS, Camera
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.question import Asker, wrong_credentials
from streamaffect.sources.remote.relay import Relay
from streamaffect.sources.sound.live_line import LiveLine
from streamaffect.sources.video.hwaccel import Hwaccel, decoding_device

LONGEST_S = 2000.0  # as a timeout of FFmpeg's, in microseconds in 32 bits
# The description says what comes, and the decoder finds out the rest.
NO_ANALYSIS = {**SHORT_ANALYSIS, "probesize": "32"}

_MEDIA = re.compile(rb"^m=(\w+)", re.MULTILINE)
_TRANSPORT_STREAM = re.compile(rb"^a=rtpmap:\d+ MP2T/|^m=video \d+ RTP/AVP 33\b", re.MULTILINE)


def open_rtsp(
    address: Address,
    asker: Asker,
    *,
    label: str,
    transport: str,
    silence_s: float,
    sound: LiveLine | None = None,
    hwaccel: Hwaccel = "off",
) -> Camera:
    """Ask the host for a stream and open it.

    transport: "tcp" or "udp", for the pictures
    silence_s: how long the host may send nothing
    sound:     takes what is heard; None asks for pictures alone
    hwaccel:   "auto" lets a device decode where one can

    Raises:
        SourceOpenError: with the reason in one line, without credentials.
    """
    call = _Call(transport, asker.limits.open_s, silence_s, with_sound=sound is not None, hwaccel=hwaccel)
    try:
        return _open_as(call, address, asker, label=label, sound=sound)
    except _SoundRefusedError:
        return _open_as(replace(call, with_sound=False), address, asker, label=label, sound=sound)


@dataclass(frozen=True, slots=True)
class _Call:
    """How a stream is asked for; `with_sound` asks for more than its pictures."""

    transport: str
    open_s: float
    silence_s: float
    with_sound: bool
    hwaccel: Hwaccel


class _SoundRefusedError(Exception):
    """Asked for both, the host gives neither: some have no sound for whom they show pictures to."""


def _open_as(call: _Call, address: Address, asker: Asker, *, label: str, sound: LiveLine | None) -> Camera:
    reply = asker.ask(address)
    body = reply.body(Deadline(asker.limits.answer_s))
    described = body.replace(b"\r", b"\n")
    media = _MEDIA.findall(described)
    if media and b"video" not in media:
        reply.line.close()
        raise SourceOpenError(f"{label}: sends no video; choose another path or stream of this camera")
    call = replace(call, with_sound=call.with_sound and b"audio" in media)
    relay = Relay(
        reply,
        body,
        signer=asker.signer,
        lines=asker.lines,
        limits=asker.limits,
        again=lambda: asker.connect(reply.address),
        asked=asker.requests,
    )
    analysis = SHORT_ANALYSIS if _TRANSPORT_STREAM.search(described) else NO_ANALYSIS
    try:
        opened = _open(relay.url, call, analysis)
    except (FFmpegError, OSError) as error:
        relay.close()
        if call.with_sound and isinstance(error, (HTTPServerError, HTTPOtherClientError)):
            raise _SoundRefusedError from error
        raise _explained(error, label, call.transport, relay.trouble) from error
    return Camera(
        opened,
        label=label,
        silence_s=call.silence_s,
        trouble=lambda: relay.trouble,
        on_release=relay.close,
        sound=sound,
    )


def _open(url: str, call: _Call, analysis: dict[str, str]) -> InputContainer:
    options = {
        "rtsp_transport": call.transport,
        "timeout": str(round(min(call.silence_s, LONGEST_S) * 1e6)),
        "allowed_media_types": "video+audio" if call.with_sound else "video",
        "protocol_whitelist": "rtsp,rtp,tcp,udp",
        **analysis,
    }
    return av.open(
        url,
        options=options,
        timeout=(call.open_s, call.silence_s),
        metadata_errors="replace",
        hwaccel=decoding_device(call.hwaccel),
    )


def _explained(error: Exception, label: str, transport: str, trouble: str | None) -> SourceError:
    """In one line. FFmpeg's own text has its address in it."""
    if trouble is not None:
        return SourceOpenError(f"{label}: {trouble}")
    if isinstance(error, HTTPUnauthorizedError):
        return wrong_credentials(label)
    if isinstance(error, HTTPForbiddenError):
        return SourceForbiddenError(f"{label}: the host forbids to play it (403); check the permissions of this user")
    if isinstance(error, ExitError | TimeoutError):
        return SourceOpenError(f"{label}: the host answers, and sends no picture in time; is the camera busy?")
    if isinstance(error, InvalidDataError):
        return SourceOpenError(f"{label}: the host answers, but not with a video that FFmpeg can decode")
    other = "udp" if transport == "tcp" else "tcp"
    return SourceOpenError(
        f"{label}: the host answers, and does not play it over {transport}; "
        f"try --set source.rtsp_transport={other}, or look whether too many are connected"
    )
