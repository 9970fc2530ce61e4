"""From what the user writes after `--source` to a source: names, kinds and the list of allowed URL schemes.

The sources themselves, and OpenCV with them, are imported only when one is made.
"""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from streamaffect.errors import ConfigError
from streamaffect.names import checked_name, is_name, made_name
from streamaffect.paths import from_home
from streamaffect.redaction import redact
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source, SourceKind
from streamaffect.sources.sound.ear import Ear

SCHEMES = ("rtsp", "rtsps", "http", "https")
KINDS = "webcam, webcam:1, demo, synthetic, replay:RECORDING, rtsp://…, http://… or a video file"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_TRACK = re.compile(r"((?:#(?:video|audio)=\d{1,3})+)$")
_KINDS_WITH_A_WORD = ("webcam", "demo", "synthetic", "replay")


def split_name(text: str) -> tuple[str, str]:
    """The name of a stream and what it reads: `lab=rtsp://host/1` is ("lab", "rtsp://host/1").

    Without a name, one is made from the source. Names are as `streamaffect.names` says.

    Raises:
        ConfigError: there is nothing to read after the name, or nothing at all; or the name cannot be one.
    """
    name, equals, spec = text.partition("=")
    # A file whose own name contains "=" is meant as a file.
    if not equals or _exists(text) or not (is_name(name) or _is_plainly_named(text, spec)):
        name, spec = default_name(text), text
    if not spec.strip():
        raise ConfigError(f"source is empty; expected {KINDS}")
    return checked_name(name), spec


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # too long for a file's name
        return False


def _is_plainly_named(text: str, spec: str) -> bool:
    """True where what follows the "=" is a source and no part of a file's name or of an address."""
    return _says_its_kind(spec) and not _says_its_kind(text)


def _says_its_kind(spec: str) -> bool:
    return _SCHEME.match(spec) is not None or spec.partition(":")[0] in _KINDS_WITH_A_WORD


def default_name(spec: str) -> str:
    """A stream name made from a source: `webcam1`, a file's stem, a host; never with credentials."""
    if _SCHEME.match(spec):
        raw = re.split(r"[/?#]", redact(spec).partition("://")[2])[0].rpartition("@")[2]
    elif spec.startswith("webcam"):
        raw = spec.replace(":", "")
    elif spec == "demo" or spec.startswith("synthetic"):
        raw = spec.partition(":")[0]
    else:
        raw = Path(_TRACK.sub("", redact(spec.removeprefix("replay:")))).stem
    return made_name(raw)


def kind_of(spec: str) -> SourceKind:
    """What sort of source `spec` names; whatever is none of the others is a file.

    Raises:
        ConfigError: it is a URL whose scheme is not on the list.
    """
    if scheme := _SCHEME.match(spec):
        return _kind_of_url(spec, scheme.group(1).lower())
    match spec.partition(":")[0]:
        case "webcam" | "synthetic" | "replay" as kind:
            return kind
        case "demo" if spec == "demo":
            return "demo"
    return "file"


def make_source(spec: str, *, realtime: bool = False, settings: SourceSettings, ear: Ear | None = None) -> Source:
    """The source of frames that `spec` names, not yet opened. `realtime` paces a file as if it were live.

    ear: is told what is heard beside the pictures, or that nothing is; None leaves it unheard

    Raises:
        ConfigError: `spec` names no kind of source, or has a bad argument.
    """
    argument = spec.partition(":")[2]
    kind = kind_of(spec)
    if ear is not None and kind in ("webcam", "demo", "synthetic"):
        hint = "; --sound mic hears a microphone" if kind == "webcam" else ""
        ear.absent(f"{spec}: has no sound{hint}")
    match kind:
        case "rtsp" | "http":
            return _network(spec, kind, settings, ear)
        case "webcam":
            return _webcam(argument, settings)
        case "demo":
            from streamaffect.sources.demo import DemoSource

            return DemoSource()
        case "synthetic":
            from streamaffect.sources.synthetic import SyntheticSource, parse_scene

            return SyntheticSource(parse_scene(argument))
        case "replay":
            raise ConfigError(f"{spec}: a recording holds estimates, not frames; `replay` publishes it again")
        case "file":
            from streamaffect.sources.file import FileSource
            from streamaffect.sources.sound.file_sound import FileSound

            path, tracks = file_and_tracks(spec)
            sound = None if ear is None else FileSound(ear, tracks.audio)
            return FileSource(path, realtime=realtime, track=tracks.video, sound=sound, hwaccel=settings.hwaccel)


class Tracks(NamedTuple):
    """Which tracks of a file are meant, each counted from 0 among its kind; None is the file's default."""

    video: int | None = None
    audio: int | None = None


def file_and_tracks(spec: str) -> tuple[Path, Tracks]:
    """The path of a file, and which of its tracks `#video=1` and `#audio=1` name.

    `~` is the user's home also where no shell has seen it. A file whose own name ends like that is meant as it is.
    """
    path, named = from_home(spec), _TRACK.search(spec)
    if named is None or _exists(str(path)):
        return path, Tracks()
    words = (word.split("=") for word in named.group(1).split("#")[1:])
    return from_home(spec[: named.start()]), Tracks(**{kind: int(number) for kind, number in words})


def recording_of(spec: str) -> str:
    """The path of the recording that `replay:PATH` names.

    Raises:
        ConfigError: it names none.
    """
    path = spec.partition(":")[2]
    if not path.strip():
        raise ConfigError(f"{spec}: names no recording; expected replay:RECORDING")
    return path


def _kind_of_url(url: str, scheme: str) -> SourceKind:
    if scheme not in SCHEMES:
        allowed = ", ".join(f"{name}://" for name in SCHEMES)
        raise ConfigError(f"{redact(url)}: {scheme}:// is not allowed as a source; expected {allowed} or a file's path")
    return "rtsp" if scheme.startswith("rtsp") else "http"


def _network(url: str, kind: SourceKind, settings: SourceSettings, ear: Ear | None) -> Source:
    scheme = url.partition("://")[0].lower()
    if re.search(r"\s", url):
        # Not shown: redaction takes the space for the end of the address, and it may stand in the password.
        raise ConfigError(f"the {scheme}:// address has a space in it; write it as %20")
    if not _is_usable(url):
        expected = f"expected {scheme}://user:password@host:port/path, with / @ : in the password as %2F %40 %3A"
        raise ConfigError(f"{redact(url)}: is not a usable address; {expected}")
    from streamaffect.sources.network import NetworkSource

    return NetworkSource(url, kind=kind, settings=settings, ear=ear)


def _is_usable(url: str) -> bool:
    try:
        url.encode("utf-8", "surrogateescape")  # half a character is in no command line, but may be in a program's text
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            return False
    except ValueError:
        return False
    # A later @ means that the password has a bare / in it, and what was read as the host is a part of it.
    return parts.username is None or "@" not in parts.path + parts.query + parts.fragment


def _webcam(argument: str, settings: SourceSettings) -> Source:
    if argument and not (argument.isascii() and argument.isdigit() and len(argument) <= 3):
        raise ConfigError(f"webcam:{argument}: expected a number as in webcam:1")
    from streamaffect.sources.webcam import WebcamSource

    return WebcamSource(int(argument or "0"), settings=settings)
