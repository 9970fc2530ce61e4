"""The command line. Only what parses is imported here, so that `--help` answers at once.

What is written to standard output and error passes an outlet: it shows no credentials and makes nobody wait.
"""

import argparse
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from streamaffect.arguments import make_parser
from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.outlet import LAST_WORDS_S, STDERR, STDOUT, finish_stdout, open_descriptors, outlets
from streamaffect.redaction import clean, remember_words, remembering

EXIT_OK, EXIT_FAILED, EXIT_USER = 0, 1, 2
NO_RESTART_CURES = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL})  # of a name

# Flag → section and key of the setting that it changes.
FLAG_SETTINGS = {
    "source": ("run", "sources"),
    "bundle": ("run", "bundle"),
    "realtime": ("run", "realtime"),
    "max_seconds": ("run", "max_seconds"),
    "analysis_fps": ("run", "analysis_fps"),
    "sound": ("source", "sound"),
    "sound_of": ("voice", "track"),
    "record": ("run", "record"),
    "overwrite": ("run", "overwrite"),
    "record_crops": ("run", "record_crops"),
    "keep_days": ("run", "keep_days"),
    "require_all": ("run", "require_all"),
    "engine": ("engine", "backend"),
    "lens": ("lens", "use"),
    "describe": ("describe", "enabled"),
    "transcript": ("describe", "transcripts"),
    "llm": ("describe", "llm"),
    "prompts": ("lens", "prompts"),
    "bind": ("feed", "bind"),
    "insecure_bind": ("feed", "insecure_bind"),
    "web": ("web", "bind"),
    "web_token": ("web", "token_file"),
    "web_video": ("web", "video"),
    "control": ("control", "bind"),
    "markers": ("control", "markers"),
    "baseline": ("baseline", "seconds"),
    "profile": ("baseline", "profile"),
    "lsl": ("lsl", "enabled"),
    "osc": ("osc", "address"),
    "mqtt": ("mqtt", "url"),
    "metrics": ("metrics", "bind"),
}

Verb = Callable[[argparse.Namespace], int]

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
        return _verbs()[options.verb](options)
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


def _verbs() -> dict[str, Verb]:
    return {
        "run": _run,
        "listen": _listen,
        "replay": _replay,
        "export": _export,
        "doctor": _doctor,
        "keys": _keys,
        "lenses": _lenses,
        "personalise": _personalise,
        "prompts": _prompts,
        "explain": _explain,
        "bench": _bench,
        "ctl": _ctl,
        "fleet": _fleet,
        "proxy": _proxy,
        "view": _view,
    }


def _run(options: argparse.Namespace) -> int:
    with _loading():
        from streamaffect.config import load_config, to_printed_toml

    if options.record is not None and not options.record.strip():  # an empty variable of a shell
        raise ConfigError("--record: names no file; a recording is a file, e.g. session.jsonl")
    if options.prompts is not None and not options.prompts.strip():
        raise ConfigError(
            '--prompts: is empty; expected prompts or a file of them, e.g. "she is beaming; about to cry"'
        )
    config = load_config(options.config, options.set, flags=_flags(options))
    if options.print_config:
        print(to_printed_toml(config))
        return EXIT_OK
    with _loading():
        from streamaffect.verbs.run import run

    reread = partial(load_config, options.config, options.set, flags=_flags(options))
    return run(config, display=options.display, reread=None if options.config is None else reread)


def _replay(options: argparse.Namespace) -> int:
    with _loading():
        from streamaffect.config import load_config
        from streamaffect.verbs.run import run

    options.source = [f"replay:{options.recording}"]
    return run(load_config(flags=_flags(options)), display=options.display)


@contextmanager
def _loading() -> Iterator[None]:
    """Ctrl-C ends the process at once while a run's modules are loaded: nothing is open yet.

    A KeyboardInterrupt could be raised inside a callback of the import system, which drops it: the run would go on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def _flags(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The settings that were given as flags, by section."""
    flags: dict[str, dict[str, object]] = {}
    for flag, (section, key) in FLAG_SETTINGS.items():
        value = getattr(options, flag, None)
        if value is not None:
            flags.setdefault(section, {})[key] = value
    return flags


def _listen(options: argparse.Namespace) -> int:
    from streamaffect.verbs.listen import listen

    return listen(
        options.address,
        stream=options.stream,
        as_json=options.json,
        keys=options.keys,
        max_seconds=options.max_seconds,
    )


def _export(options: argparse.Namespace) -> int:
    from streamaffect.verbs.export import export

    return export(
        options.recording,
        options.out,
        stream=options.stream,
        overwrite=options.overwrite,
        decimal=options.decimal,
        clean=options.clean,
        rate=options.rate,
        of="voice" if options.voice else "estimates",
    )


def _doctor(options: argparse.Namespace) -> int:
    from streamaffect.verbs.doctor import doctor

    return doctor(as_json=options.json)


def _keys(options: argparse.Namespace) -> int:
    from streamaffect.verbs.keys import keys

    return keys(options.folder, client=options.client, overwrite=options.overwrite)


def _lenses(options: argparse.Namespace) -> int:
    from streamaffect.verbs.lenses import lenses

    return lenses(bundle=options.bundle, as_json=options.json)


def _personalise(options: argparse.Namespace) -> int:
    from streamaffect.verbs.personalise import personalise

    return personalise(options.recording, options.out, bundle=options.bundle, delete=options.delete)


def _prompts(options: argparse.Namespace) -> int:
    from streamaffect.prompts.command import prompts

    return prompts(options)


def _explain(options: argparse.Namespace) -> int:
    from streamaffect.verbs.pictures.explain import explain

    return explain(
        options.picture,
        method=options.method,
        save=options.save,
        overwrite=options.overwrite,
        as_json=options.json,
        bundle=options.bundle,
        engine=options.engine,
    )


def _bench(options: argparse.Namespace) -> int:
    from streamaffect.verbs.bench import bench
    from streamaffect.verbs.signals.ending import orderly_end

    with orderly_end():
        return bench(bundle=options.bundle, engine=options.engine, video=options.video, max_streams=options.max_streams)


def _ctl(options: argparse.Namespace) -> int:
    from streamaffect.verbs.ctl import ctl

    return ctl(options)


def _proxy(options: argparse.Namespace) -> int:
    from streamaffect.settings import FeedSettings
    from streamaffect.verbs.proxy import proxy

    settings = FeedSettings(
        bind=options.bind,
        insecure_bind=options.insecure_bind,
        server_key=options.server_key,
        allowed_clients=options.allowed_clients,
    )
    return proxy(options.feeds, settings, keys=options.keys, max_seconds=options.max_seconds)


def _fleet(options: argparse.Namespace) -> int:
    with _loading():
        from streamaffect.fleet.cluster import require_ray
        from streamaffect.fleet.config import load_fleet

    flags = _flags(options)
    if options.address is not None:
        flags["cluster"] = {"address": options.address}
    reread = partial(load_fleet, options.config, flags=flags)
    config = reread()
    require_ray()
    with _loading():
        from streamaffect.fleet.run import fleet

    return fleet(config, display=options.display, reread=reread)


def _view(options: argparse.Namespace) -> int:
    from streamaffect.config import load_config
    from streamaffect.verbs.page.view import view

    return view(
        options.recording,
        load_config(flags=_flags(options)).web,
        video=options.video,
        video_offset_s=options.video_offset,
        opens_browser=options.open,
    )


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
