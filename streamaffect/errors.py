"""Every error that streamaffect raises for a reason a user can act on.

StreamAffectError
├── ConfigError            a setting: which key, the value, what is allowed
├── SourceError            a camera, file or URL
│   ├── SourceOpenError    it never worked: ends the run
│   │   └── SourceForbiddenError   it is there, and wants other credentials
│   ├── SourceStalledError it worked and has gone silent or broken: is retried
│   └── SourceEndedError   it is over: not a failure
├── BundleError            a bundle on disk: file, key, expected, found
│   └── LensError          a lens on disk, or one that does not fit the bundle
├── PromptError            a prompt, a file of prompts, or the encoder that reads them
├── EngineError            a backend that is missing or refuses a graph
├── FaultError             a part of a running stream has failed for good
├── ControlError           a command that a run refuses, or that nobody has answered
├── FleetError             a cluster that does not start, or cannot be joined
├── OutletError            an outlet beside the feed: its address, its broker, its package
├── PictureError           a picture file that cannot be read, shows no face, or is to be written as no picture
├── RecordingError         a recording that cannot be written or read
├── TranscriptError        words beside a video: file, line, expected
└── WireError              a message, an address or a key of the feed
    └── FeedTimeoutError   nothing came within the time that the subscriber allows

Each message is one line that says what, where, what was expected and what to do. Credentials in it are removed when it
is made, so that none can be printed, logged or sent; line breaks and what would control a terminal are shown and not
done, since names in damaged or hostile files may hold them.
"""

from streamaffect.redaction import redact


def _shown(text: str) -> str:
    """One line of characters that can be seen; others as Python writes them, such as `\\n`."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class StreamAffectError(Exception):
    """Base of all errors that end in one clear line.

    transient: True where the same command may work later without any change, as on a full disk or with a camera that is
               off: exit code 1, for which a supervisor starts again, in place of 2
    """

    def __init__(self, message: str = "", *, transient: bool = False) -> None:
        super().__init__(_shown(redact(message)))
        self.transient = transient


class ConfigError(StreamAffectError):
    """A setting is unknown, of the wrong type or out of its range."""


class SourceError(StreamAffectError):
    """A source of frames failed."""


class SourceOpenError(SourceError):
    """The source could not be opened, or gave no first frame."""


class SourceForbiddenError(SourceOpenError):
    """The host of the source is there, and does not take these credentials, or wants some."""


class SourceStalledError(SourceError):
    """A source that has worked gave no frame within its timeout, or its connection broke."""


class SourceEndedError(SourceError):
    """The source has no further frames."""


class BundleError(StreamAffectError):
    """A bundle is incomplete, altered, or of a schema that this version does not read."""


class LensError(BundleError):
    """A lens is unknown, incomplete, altered, or belongs to another encoder."""


class PromptError(StreamAffectError):
    """A prompt cannot be one, a file of prompts cannot be read, or what reads prompts is missing."""


class EngineError(StreamAffectError):
    """An inference backend is not available here, or cannot run a graph."""


class FaultError(StreamAffectError):
    """A part of a running stream has failed, and nothing could take its place."""

    def __init__(self, message: str = "", *, transient: bool = True) -> None:
        super().__init__(message, transient=transient)


class ControlError(StreamAffectError):
    """A run does not do what it was told, or does not answer."""


class FleetError(StreamAffectError):
    """The cluster of a fleet does not start, or cannot be joined."""


class OutletError(StreamAffectError):
    """An outlet beside the feed cannot be opened as the settings ask."""


class PictureError(StreamAffectError):
    """A picture file cannot be read or written, or shows no face."""


class RecordingError(StreamAffectError):
    """A recording cannot be written, or is not a recording."""


class TranscriptError(StreamAffectError):
    """A transcript cannot be read, or is none."""


class WireError(StreamAffectError):
    """A message, an address or a key of the feed is not usable."""


class FeedTimeoutError(WireError):
    """A feed sent nothing within the time that its subscriber allows."""
