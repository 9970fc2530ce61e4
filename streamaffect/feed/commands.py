"""What can be asked of a run beside its feed, and what it answers: one JSON object each way (docs/control.md)."""

import unicodedata
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamaffect.errors import ControlError
from streamaffect.settings import Whose

VERSION = 1
MAX_LABEL_CHARACTERS = 256
MAX_REQUEST_BYTES = 4096

Seconds = Annotated[float, Meta(gt=0.0, le=600.0)]


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    v: Literal[1] = 1


class Mark(_Command, frozen=True, kw_only=True, tag="mark"):
    """Mark a moment.

    stream: only in this stream; None is all of them
    t_ns:   the moment, UTC nanoseconds; None is when the command comes
    """

    label: str
    stream: str | None = None
    t_ns: int | None = None


class Streams(_Command, frozen=True, kw_only=True, tag="streams"):
    """Say which streams there are."""


class Add(_Command, frozen=True, kw_only=True, tag="add"):
    """Add a stream: "SOURCE" or "NAME=SOURCE", as after --source.

    group: of a fleet, the group that it goes to; None is the one with the fewest streams
    """

    source: str
    group: str | None = None


class Remove(_Command, frozen=True, kw_only=True, tag="remove"):
    """End one stream; the others go on."""

    name: str


class BaselineStart(_Command, frozen=True, kw_only=True, tag="baseline start"):
    """Take the neutral of the faces that are in view, in one stream or in all (None), over so many seconds."""

    seconds: Seconds = 5.0
    stream: str | None = None


class BaselineClear(_Command, frozen=True, kw_only=True, tag="baseline clear"):
    """Forget what was taken, in one stream or in all (None)."""

    stream: str | None = None


class VoiceOf(_Command, frozen=True, kw_only=True, tag="voice"):
    """Say whose voice a stream hears: of the "only" face in view, of the "largest", of a face by its number, or of
    "nobody"."""

    stream: str
    track: Whose


class Prompts(_Command, frozen=True, kw_only=True, tag="prompts"):
    """Look for other sentences: name → sentence. Without any, say what is looked for."""

    prompts: dict[str, str] = {}


class Status(_Command, frozen=True, kw_only=True, tag="status"):
    """Say how the run does."""


class Stop(_Command, frozen=True, kw_only=True, tag="stop"):
    """End the run, in order."""


class Drain(_Command, frozen=True, kw_only=True, tag="drain"):
    """Of a fleet: end a group in order until it is told to restart, or move the groups of a node elsewhere."""

    name: str


class Restart(_Command, frozen=True, kw_only=True, tag="restart"):
    """Of a fleet: start a group anew, or all of them (None), one after the other."""

    name: str | None = None


Command = (
    Mark | BaselineStart | BaselineClear | Streams | Add | Remove | VoiceOf | Prompts | Status | Stop | Drain | Restart
)


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a run, as its last health message said; `source` without credentials.

    baseline: the last that happened to the baseline of one of its faces, in words; empty where nothing has
    baseline_events: how much has happened to them
    """

    stream: str
    source: str
    live: bool
    state: str
    fault: str = ""
    fps_out: float = 0.0
    faces: int = 0
    estimates: int = 0
    baseline: str = ""
    baseline_events: int = 0


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """The run as a whole.

    recording: where it is recorded; empty where it is not
    markers:   markers that were set so far, each counted once for all streams
    """

    software: str
    model: str
    engine: str
    feed: str
    uptime_s: float
    recording: str = ""
    markers: int = 0


class GroupReport(msgspec.Struct, frozen=True, kw_only=True):
    """One group of a fleet.

    state:    waiting (for room in the cluster), starting, running, pausing (before it is tried again), draining,
              drained, ended (its sources have), failed (a mistake that no restart cures)
    node:     address of the machine that it runs on; empty where it runs nowhere
    run:      id of its run, `run` in `meta`
    restarts: how often it was started again by itself
    detail:   why it is in this state, one line for people
    process:  number of its process on that machine
    cpu_s, memory_mb: of that process so far
    """

    group: str
    state: str
    node: str = ""
    run: str = ""
    streams: list[str] = []
    restarts: int = 0
    detail: str = ""
    process: int = 0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a command.

    ok, error: whether it was done; if not, why, in one line
    text:      what was done, one line for people
    t_ns:      of a marker: the moment that was marked
    groups:    of a fleet; absent for a run
    """

    v: int = VERSION
    ok: bool
    error: str = ""
    text: str = ""
    t_ns: int | None = None
    streams: list[StreamReport] = []
    run: RunReport | None = None
    groups: list[GroupReport] | msgspec.UnsetType = msgspec.UNSET


_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_replies: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)


def decode_command(payload: bytes) -> Command:
    """The command in a request. Raises ControlError for anything else."""
    try:
        return _commands.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(f"request {payload[:60]!r}: {error}; docs/control.md lists the commands") from error


def encode_command(command: Command) -> bytes:
    """The request. Raises ControlError where a text in it is none that UTF-8 can write, or is far too long."""
    try:
        payload = msgspec.json.encode(command)
    except UnicodeEncodeError as error:
        raise ControlError(
            f"{error.object!r}: has bytes that are no character of UTF-8; write it with visible characters"
        ) from error
    if len(payload) > MAX_REQUEST_BYTES:
        raise ControlError(f"the command is {len(payload)} bytes long; at most {MAX_REQUEST_BYTES} are taken")
    return payload


def decode_reply(payload: bytes) -> Reply:
    """The reply in an answer. Raises ControlError for anything else."""
    try:
        return _replies.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(f"answer {payload[:60]!r}: {error}; is this the control address of a run?") from error


def checked_label(label: str) -> str:
    """The label of a marker as it was given. Raises ControlError where it cannot be one, and says which character."""
    if not label.strip():
        raise ControlError("the label is empty; give a word for what is marked, e.g. `stimulus 1`")
    if len(label) > MAX_LABEL_CHARACTERS:
        raise ControlError(f"the label is {len(label)} characters long; at most {MAX_LABEL_CHARACTERS} are taken")
    wrong = next((one for one in label if not one.isprintable()), None)
    if wrong is not None:
        name = unicodedata.name(wrong, "no visible character")
        raise ControlError(f"label {label!r}: U+{ord(wrong):04X} ({name}) cannot stand in a label")
    return label


def made_label(text: str) -> str:
    """A label made of whatever a device has sent, so that no marker is lost: what cannot be seen is written out."""
    shown = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text.strip())
    return shown[:MAX_LABEL_CHARACTERS] or "(empty)"
