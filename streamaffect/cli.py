"""The command line. Only what parses is imported here, so that `--help` answers at once.

What is written to standard output and error passes an outlet: it shows no credentials and makes nobody wait.
"""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence

from streamaffect.arguments.parser import make_parser
from streamaffect.arguments.verb import Call
from streamaffect.errors import StreamAffectError
from streamaffect.outlet import LAST_WORDS_S, STDERR, STDOUT, finish_stdout, open_descriptors, outlets
from streamaffect.redaction import clean, remember_words, remembering

EXIT_OK, EXIT_FAILED, EXIT_USER = 0, 1, 2
NO_RESTART_CURES = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL})  # of a name

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit code: 0 done, 1 failed, 2 what no restart cures; both said in one line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    open_descriptors()
    # Each stream has threads of its own; OpenCV's would spin beside them, to cut out a face a little sooner.
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    # As many as there are, for a pipe that sets the pace; credentials are removed where the messages are made.
    prints_lines = words[0] in ("listen", "ctl") and "--json" in words
    runs_for_long = words[0] in ("run", "record", "replay", "listen", "proxy", "fleet") and not prints_lines
    runs_for_long &= "--print-config" not in words
    with remembering(), outlets(*([STDERR] if prints_lines else [STDOUT, STDERR]), nobody_waits=runs_for_long):
        remember_words(words)
        code, complaint = EXIT_OK, None
        try:
            code = _do(words)
        finally:
            complaint = finish_stdout(LAST_WORDS_S if runs_for_long else None)
        if complaint is None or runs_for_long:
            return code
        _say(f"standard output cannot be written ({complaint})")
        return code or EXIT_FAILED


def _do(words: Sequence[str]) -> int:
    """Do what the words say; whatever goes wrong ends in one line and an exit code."""
    try:
        options = make_parser().parse_args(words)
        _set_up_logging(getattr(options, "log_level", "warning"), as_json=getattr(options, "log_format", "") == "json")
        return _call(options)
    except StreamAffectError as error:
        _say(str(error))
        return EXIT_FAILED if error.transient else EXIT_USER
    except (KeyboardInterrupt, BrokenPipeError):
        return EXIT_OK
    except OSError as error:  # what the system refuses may be granted at the next start
        _say(str(error))
        return EXIT_USER if error.errno in NO_RESTART_CURES else EXIT_FAILED
    except Exception as error:
        if _was_interrupted(error):
            return EXIT_OK
        log.debug("where it happened", exc_info=error)
        _say(f"{type(error).__name__}: {error}; this is a fault of the program, --log-level debug shows where")
        return EXIT_FAILED


def _call(options: argparse.Namespace) -> int:
    """Do the verb."""
    call: Call = options.call
    return call(options)


def _was_interrupted(error: BaseException | None) -> bool:
    """True where Ctrl-C is behind an error: native libraries that are being imported make others of it."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _say(text: str) -> None:
    """The one line to standard error."""
    print(f"streamaffect: {clean(' '.join(text.splitlines()))}", file=sys.stderr)


def _set_up_logging(level: str, *, as_json: bool) -> None:
    if as_json:
        from streamaffect.service.json_log import log_as_json

        log_as_json(level)
        return
    logging.basicConfig(level=level.upper(), force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_CleanFormatter("%(levelname)s %(name)s: %(message)s"))


class _CleanFormatter(logging.Formatter):
    """Without credentials, also in traces, whichever library has logged them."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))
