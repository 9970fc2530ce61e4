"""HTTP: motion JPEG as cameras send it, transport streams and the like, and HLS; asked and read by ourselves.

FFmpeg gets bytes and no address: whatever a stream refers to, it can open nothing without asking `Playlists`.
"""

import av
from av.container import InputContainer
from av.error import FFmpegError

from streamaffect.errors import SourceOpenError
from streamaffect.sources.pacing import LivePacer
from streamaffect.sources.remote.address import Address
from streamaffect.sources.remote.body import Body
from streamaffect.sources.remote.camera import LONGEST_PIECE_S, SHORT_ANALYSIS, Camera
from streamaffect.sources.remote.heads import Head
from streamaffect.sources.remote.jpegs import BEGIN, JpegParts
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.playlists import MARK, Playlist, Playlists
from streamaffect.sources.remote.question import Asker
from streamaffect.sources.sound.live_line import LiveLine

ENDLESS_BYTES = 1 << 40  # some hosts state a length for what never ends
FIRST_BYTES = 512  # FFmpeg goes back to the start of motion JPEG, and can as far as it got it at once
MOTION_JPEG, HLS = "mpjpeg", "hls"
OPTIONS = {
    **SHORT_ANALYSIS,
    "format_whitelist": f"{MOTION_JPEG},{HLS},mpegts,mov,mp4,matroska,webm,flv,h264,hevc,mjpeg,mpeg,ogg,aac,mp3,webvtt",
    "protocol_whitelist": "http,https",
    "http_persistent": "0",  # FFmpeg would take a connection for its own that is ours
}


def open_http(
    address: Address,
    asker: Asker,
    *,
    label: str,
    silence_s: float,
    pacer: LivePacer,
    sound: LiveLine | None = None,
) -> Camera:
    """Ask the host for a stream and open it.

    silence_s: how long the host may send nothing
    pacer:     for HLS, whose pieces come as a whole
    sound:     takes what is heard; None leaves it undecoded

    Raises:
        SourceOpenError: with the reason in one line, without credentials.
    """
    reply = asker.ask(address)
    opening = Deadline(asker.limits.open_s)
    body = Body(reply, silence_s=silence_s, opening=opening, is_endless=_is_motion_jpeg(reply.head))
    begin = body.begins_with(FIRST_BYTES)
    if begin.startswith(MARK):
        playlists = Playlists(asker, silence_s=silence_s)
        first = playlists.read(body)
        return _open_playlist(first, playlists, asker, label=label, silence_s=silence_s, pacer=pacer, sound=sound)
    _check_that_it_is_live(reply.head, label)
    is_bare = begin.startswith(BEGIN)
    pictures = JpegParts(body) if is_bare or _is_motion_jpeg(reply.head) else None
    if pictures is not None and is_bare and not pictures.go_on():
        raise _picture(label)
    return _open_stream(body, pictures, asker, label=label, silence_s=silence_s, sound=sound)


def _open_stream(
    body: Body, pictures: JpegParts | None, asker: Asker, *, label: str, silence_s: float, sound: LiveLine | None
) -> Camera:
    """pictures: the body as motion JPEG; None where it is something else."""
    file, form = (body, None) if pictures is None else (pictures, MOTION_JPEG)
    try:
        opened: InputContainer = av.open(  # type: ignore[assignment]
            file, format=form, options=OPTIONS, metadata_errors="replace", timeout=asker.limits.open_s
        )
    except (FFmpegError, OSError) as error:
        raise _not_opened(label, body.trouble) from error
    body.opened()
    if opened.duration:
        opened.close()
        raise _recording(label)
    return Camera(
        opened,
        label=label,
        silence_s=silence_s,
        trouble=lambda: body.trouble,
        on_release=asker.lines.close,
        sound=sound,
    )


def _open_playlist(
    first: Playlist,
    playlists: Playlists,
    asker: Asker,
    *,
    label: str,
    silence_s: float,
    pacer: LivePacer,
    sound: LiveLine | None,
) -> Camera:
    try:
        opened: InputContainer = av.open(  # type: ignore[assignment]
            first,
            format=HLS,
            options=OPTIONS,
            metadata_errors="replace",
            io_open=playlists.open,
            timeout=(asker.limits.answer_s, silence_s + LONGEST_PIECE_S),
        )
    except (FFmpegError, OSError) as error:
        raise playlists.trouble or _not_opened(label, None) from error
    if opened.duration:
        opened.close()
        raise _recording(label)
    return Camera(
        opened,
        label=label,
        silence_s=silence_s,
        slack_s=lambda: playlists.target_s,
        pacer=pacer,
        on_release=asker.lines.close,
        sound=sound,
    )


def _type(head: Head) -> str:
    return head.value("content-type").partition(";")[0].strip().lower()


def _is_motion_jpeg(head: Head) -> bool:
    return _type(head).startswith("multipart/")


def _check_that_it_is_live(head: Head, label: str) -> None:
    """What has a length is none: a page, a picture, a file."""
    kind = _type(head)
    if _is_motion_jpeg(head) or head.length is None or head.length >= ENDLESS_BYTES:
        return
    if kind.startswith("image/"):
        raise _picture(label)
    if kind.startswith("text/") or kind.endswith(("json", "xml")):
        raise SourceOpenError(f"{label}: the host answers with {kind}, not with a video; expected a video")
    raise _recording(label)


def _picture(label: str) -> SourceOpenError:
    return SourceOpenError(f"{label}: is a single picture; give the path at which the camera streams")


def _recording(label: str) -> SourceOpenError:
    return SourceOpenError(f"{label}: is a recording, not a live stream; download it and give its path")


def _not_opened(label: str, trouble: str | None) -> SourceOpenError:
    if trouble:
        return SourceOpenError(f"{label}: the host answers, but does not send a video: {trouble}")
    return SourceOpenError(f"{label}: the host answers, but not with a video that FFmpeg can decode")
