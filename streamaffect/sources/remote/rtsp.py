"""RTSP: the host is asked first, so that what is wrong can be said; FFmpeg then opens the address itself."""

import re
import time
from urllib.parse import quote

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
from streamaffect.sources.remote.question import Asker, Reply, wrong_credentials

ALONE_S = 0.3
LONGEST_S = 2000.0  # as a timeout of FFmpeg's, in microseconds in 32 bits

_MEDIA = re.compile(rb"^m=(\w+)", re.MULTILINE)


def open_rtsp(address: Address, asker: Asker, *, label: str, transport: str, silence_s: float) -> Camera:
    """Ask the host for a stream and open it.

    transport: "tcp" or "udp", for the pictures
    silence_s: how long the host may send nothing

    Raises:
        SourceOpenError: with the reason in one line, without credentials.
    """
    with asker.ask(address) as reply:
        described = _MEDIA.findall(_description(reply.body(Deadline(asker.limits.answer_s))))
        if described and b"video" not in described:
            raise SourceOpenError(f"{label}: sends no video; choose another path or stream of this camera")
        try:
            opened = _open_beside(reply, transport, open_s=asker.limits.open_s, silence_s=silence_s)
        except (FFmpegError, OSError) as error:
            raise _explained(error, label, transport) from error
    return Camera(opened, label=label, silence_s=silence_s)


def _open_beside(reply: Reply, transport: str, *, open_s: float, silence_s: float) -> InputContainer:
    """Open what was described, while the question is still open: some hosts take a stream down when nobody is left.

    Others can serve one alone, and need a moment after the question was closed.
    """
    try:
        return _open(reply.address, transport, open_s=open_s, silence_s=silence_s)
    except (HTTPServerError, HTTPOtherClientError):
        reply.line.close()
        time.sleep(ALONE_S)
        return _open(reply.address, transport, open_s=open_s, silence_s=silence_s)


def _open(address: Address, transport: str, *, open_s: float, silence_s: float) -> InputContainer:
    options = {
        "rtsp_transport": transport,
        "timeout": str(round(min(silence_s, LONGEST_S) * 1e6)),
        "allowed_media_types": "video",
        "protocol_whitelist": "rtsp,rtsps,rtp,tcp,udp,tls",
        **SHORT_ANALYSIS,
    }
    return av.open(_url(address), options=options, timeout=(open_s, silence_s), metadata_errors="replace")


def _url(address: Address) -> str:
    if address.user is None:
        return address.bare
    credentials = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
    return f"{address.scheme}://{credentials}@{address.authority}{address.target}"


def _description(body: bytes) -> bytes:
    return body.replace(b"\r", b"\n")


def _explained(error: Exception, label: str, transport: str) -> SourceError:
    """In one line. FFmpeg's own text has the address in it, with its password."""
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
