"""What the buttons of the page do: a few of the commands of docs/control.md, and recording."""

import msgspec

from streamaffect.control.desk import Desk
from streamaffect.errors import ControlError
from streamaffect.feed.commands import BaselineClear, BaselineStart, Mark, Reply
from streamaffect.verbs.key_actions import RecordingSwitch

ORIGIN = "page"


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", tag="record"):
    """Begin a recording, or end the one that runs."""


_commands: msgspec.json.Decoder[Mark | BaselineStart | BaselineClear | Record] = msgspec.json.Decoder(
    Mark | BaselineStart | BaselineClear | Record
)


class PageActions:
    """Carries out what a browser asks for; streams and the end of the run are not for browsers."""

    def __init__(self, desk: Desk, recording: RecordingSwitch) -> None:
        self._desk = desk
        self._recording = recording

    @property
    def recording(self) -> str:
        """Where the run is recorded now; empty where it is not."""
        return self._recording.current

    def do(self, payload: bytes) -> Reply:
        """Carry out a command. Raises StreamAffectError where it is refused."""
        try:
            command = _commands.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ControlError(f"request {payload[:60]!r}: {error}; docs/page.md lists the commands") from error
        if isinstance(command, Record):
            return Reply(ok=True, text=self._recording.toggle())
        return self._desk.do(command, origin=ORIGIN)
