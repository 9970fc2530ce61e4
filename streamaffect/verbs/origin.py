"""What gives the messages of a run: the pipeline over sources, or a recording that is played back."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Protocol

from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.lenses.aside import close_lens, set_aside
from streamaffect.lenses.view import LensPart
from streamaffect.messages import Message, Meta
from streamaffect.personal.crop_recorder import CropRecorder
from streamaffect.pipeline.opening import (
    engine_after,
    open_lens_parts,
    open_stream_engine,
    open_streams,
    tracker_settings,
)
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.pipeline.stats import Deliveries
from streamaffect.recordings.replay import Replay
from streamaffect.runtime.bundle import load_bundle
from streamaffect.settings import Whose
from streamaffect.sources.parse import kind_of, recording_of, split_name
from streamaffect.text.opening import lenses_for
from streamaffect.types import Sightings

log = logging.getLogger(__name__)

Look = Callable[[str, Sightings], None]


class CurrentSettings:
    """The settings that a run has now.

    on_take: what is told of other ones; set by whoever can change while it runs
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.on_take: Callable[[Config], None] = lambda _: None

    def take(self, config: Config) -> None:
        """Go on with these."""
        self.config = config
        self.on_take(config)


class Origin(Protocol):
    """Messages of any number of streams, once."""

    @property
    def is_live(self) -> bool:
        """True where messages come at the pace of time, whoever takes them."""
        ...

    @property
    def metas(self) -> Sequence[Meta]:
        """What a subscriber must know of each stream; known before the first message."""
        ...

    @property
    def has_failed(self) -> bool:
        """True where a source ended before its time."""
        ...

    @property
    def has_stuck_threads(self) -> bool:
        """True where native code did not come back, so that the process cannot end in order."""
        ...

    @property
    def lengths_s(self) -> Mapping[str, float]:
        """Seconds of those streams that are files of a known length."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """What a user who has watched no display should be told at the end, a line each."""
        ...

    @property
    def lenses(self) -> Sequence[LensPart]:
        """What looks at the faces; nothing does at those of a recording."""
        ...

    def messages(self) -> Iterator[Message]:
        """All messages in order, until the end or `stop`."""
        ...

    def now_ns(self, stream: str) -> int | None:
        """What time it is in a stream, as its estimates count it; None where it has none of its own.

        Raises ControlError where nothing may be added to the messages.
        """
        ...

    def add(self, source: str) -> str:
        """Begin a stream, return its name. Raises StreamAffectError where that cannot be done."""
        ...

    def remove(self, name: str) -> None:
        """End a stream. Raises ControlError where that cannot be done."""
        ...

    def give_voice(self, name: str, whose: Whose) -> None:
        """Say whose voice a stream hears. Raises ControlError where that cannot be said."""
        ...

    def stop(self) -> None:
        """End soon; callable from any thread and from a signal handler."""
        ...


def open_origin(
    current: CurrentSettings,
    stack: ExitStack,
    deliveries: Deliveries,
    *,
    look: Look | None = None,
) -> Origin:
    """Open what the settings name, and follow where they change; what it holds is given back with the stack.

    look: is shown each picture; a recording has none. Raises StreamAffectError where something cannot start.
    """
    specs = [split_name(source)[1] for source in current.config.run.sources]
    replays = [spec for spec in specs if kind_of(spec) == "replay"]
    if not replays:
        return _open_pipeline(current, stack, deliveries, look)
    if len(specs) > 1:
        raise ConfigError(f"{replays[0]}: a recording is replayed alone; start another process for the other sources")
    if current.config.run.record_crops:
        raise ConfigError("--record-crops: a recording holds no pictures; name its video or a camera as --source")
    if look is not None:
        raise ConfigError(
            "--web-video: a recording holds no pictures; `streamaffect view RECORDING --video FILE` shows its video"
        )
    return Replay(recording_of(replays[0]))


def _both(first: Look, second: Look) -> Look:
    """Whatever looks at pictures, one after the other."""

    def look(stream: str, sightings: Sightings) -> None:
        first(stream, sightings)
        second(stream, sightings)

    return look


def _open_pipeline(current: CurrentSettings, stack: ExitStack, deliveries: Deliveries, look: Look | None) -> Pipeline:
    config = current.config
    bundle = load_bundle(config.run.bundle or None)
    lenses = open_lens_parts(bundle, lenses_for(config, bundle))
    streams = open_streams(config.run.sources, config, bundle)
    for stream in streams:
        stack.callback(stream.close)
    if any(stream.info.live for stream in streams):
        lenses = set_aside(lenses)
    for lens in lenses:
        stack.callback(close_lens, lens)
    engine = open_stream_engine(bundle, config.engine)
    stack.callback(engine.close)
    log.info("engine: %s (%s)", engine.info, engine.info.reason)
    if config.run.record_crops:
        keeper = CropRecorder(config.run.record_crops, bundle)
        stack.callback(keeper.close)
        look = keeper.look if look is None else _both(look, keeper.look)
    max_seconds = config.run.max_seconds or None
    pipeline = Pipeline(
        streams,
        bundle,
        engine,
        settings=config.source,
        max_seconds=max_seconds,
        deliveries=deliveries,
        reopen=engine_after(bundle, config.engine),
        patience_s=config.run.patience_s,
        open_stream=lambda source: open_streams([source], current.config, bundle)[0],
        lenses=lenses,
        cap_fps=config.run.analysis_fps or None,
        priorities=_shares(config, [stream.name for stream in streams]),
        look=look,
        run=config.run.id,
    )
    current.on_take = lambda new: pipeline.retune(tracker_settings(new, bundle), new.source)
    return pipeline


def _shares(config: Config, streams: Sequence[str]) -> dict[str, float]:
    for name in config.run.shares:
        if name not in streams:
            log.warning("run.priorities: there is no stream %r yet; there is %s", name, ", ".join(streams))
    return config.run.shares
