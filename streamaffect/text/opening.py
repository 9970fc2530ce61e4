"""From settings to what describes a run in words, or to nothing."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from streamaffect.config import Config
from streamaffect.errors import BundleError, ConfigError
from streamaffect.lenses.finding import ALL, lens_folders
from streamaffect.lenses.loading import check_fit, read_lens
from streamaffect.paths import from_home
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.settings import DescribeSettings, LensSettings
from streamaffect.text.classifier import Answers, TextClassifier
from streamaffect.text.describer import Describer, Reader
from streamaffect.text.transcript import Transcript, read_transcript

log = logging.getLogger(__name__)

UNITS = "units"


def open_describer(
    settings: DescribeSettings,
    streams: Sequence[str],
    lengths_s: Mapping[str, float],
    stack: ExitStack,
    *,
    is_live: bool,
) -> Describer | None:
    """What describes these streams; None where the settings ask for nothing.

    lengths_s: of the files among them; is_live: nobody may wait for the text classifier

    Raises ConfigError, TranscriptError, BundleError or EngineError where it cannot be done as asked.
    """
    if not settings.enabled:
        if settings.transcripts or settings.llm:
            flag = "--transcript" if settings.transcripts else "--llm"
            raise ConfigError(f"{flag}: belongs to the description in words; add --describe")
        return None
    transcripts = _transcripts(settings.transcripts, streams)
    for stream, transcript in transcripts.items():
        if stream in lengths_s and (complaint := transcript.complaint(lengths_s[stream])) is not None:
            log.warning("%s", complaint)
    return Describer(
        period_s=settings.period_s, transcripts=transcripts, reader=_reader(settings, stack, is_live=is_live)
    )


def lenses_for(config: Config, bundle: Bundle) -> LensSettings:
    """The lenses of a run; a description in words has the action units, where a lens of them fits the bundle."""
    named = {word.partition("=")[0].strip() for word in config.lens.use}
    if not config.describe.enabled or named & {UNITS, ALL} or UNITS not in (folders := lens_folders(bundle)):
        return config.lens
    try:
        check_fit(read_lens(folders[UNITS]), bundle)
    except BundleError as error:
        log.info("described without action units: %s", error)
        return config.lens
    return msgspec.structs.replace(config.lens, use=[*config.lens.use, UNITS])


def _transcripts(words: Sequence[str], streams: Sequence[str]) -> dict[str, Transcript]:
    found: dict[str, Transcript] = {}
    for word in words:
        name, path = _split(word, streams)
        if name in found:
            raise ConfigError(f"--transcript {word}: {name} has a transcript already, {found[name].path}")
        found[name] = read_transcript(path)
    return found


def _split(word: str, streams: Sequence[str]) -> tuple[str, Path]:
    """ "FILE" for the only stream, or "NAME=FILE"."""
    name, equals, file = word.partition("=")
    if equals and name in streams:
        return name, from_home(file)
    if len(streams) == 1:
        return streams[0], from_home(word)
    raise ConfigError(f"--transcript {word}: whose is it? Expected NAME=FILE with one of {', '.join(streams)}")


def _reader(settings: DescribeSettings, stack: ExitStack, *, is_live: bool) -> Reader | None:
    if not settings.llm:
        return None
    classifier = TextClassifier(load_bundle(from_home(settings.llm)))
    answers = Answers(classifier.classify, waits=not is_live)
    stack.callback(answers.close)
    return Reader(answers, classifier.textualiser, settings.llm_period_s)
