"""Settings: TOML and `--set section.key=value` → typed, checked structs.

A key that does not exist, a value of the wrong type or out of its range is a ConfigError that names the key, the value
and the nearest key that would have been right.
"""

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.errors import ConfigError
from streamaffect.paths import from_home
from streamaffect.redaction import redact, remember
from streamaffect.settings import (
    BaselineSettings,
    ControlSettings,
    DescribeSettings,
    EngineSettings,
    FaceSettings,
    FeedSettings,
    LensSettings,
    LslSettings,
    MetricsSettings,
    MqttSettings,
    OscSettings,
    RunSettings,
    SourceSettings,
    TrackerSettings,
    VoiceSettings,
    WebSettings,
)

Settings = dict[str, Any]

MOST_BYTES = 1 << 18

# TOML's own error and that of UTF-8 are ValueErrors, and so is that of a number of thousands of digits.
_NOT_TOML = (ValueError, RecursionError)


class _ContradictionError(Exception):
    """Settings that do not fit together, each of which may be right: a later file or flag may yet change the other."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a run, by section."""

    run: RunSettings = RunSettings()
    engine: EngineSettings = EngineSettings()
    source: SourceSettings = SourceSettings()
    faces: FaceSettings = FaceSettings()
    tracker: TrackerSettings = TrackerSettings()
    lens: LensSettings = LensSettings()
    describe: DescribeSettings = DescribeSettings()
    voice: VoiceSettings = VoiceSettings()
    feed: FeedSettings = FeedSettings()
    control: ControlSettings = ControlSettings()
    baseline: BaselineSettings = BaselineSettings()
    lsl: LslSettings = LslSettings()
    osc: OscSettings = OscSettings()
    mqtt: MqttSettings = MqttSettings()
    metrics: MetricsSettings = MetricsSettings()
    web: WebSettings = WebSettings()


def load_config(
    path: Path | None = None, overrides: Sequence[str] = (), *, flags: Mapping[str, Mapping[str, object]] | None = None
) -> Config:
    """Settings from a TOML file, over them `section.key=value` texts, over them flags by section; the rest is default.

    Raises ConfigError where any of them is not a setting.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = [("settings", {})]
    if path is not None:
        layers.append((str(path), read_toml(path)))
    layers += [(f"--set {override}", _parse_override(override)) for override in overrides]
    layers.append(("settings", flags or {}))
    return checked_config(layers)


def checked_config(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Config:
    """Settings from layers, each with the words by which an error names it; a later one comes over those before it.

    Raises ConfigError where any of them is not a setting.
    """
    settings: Settings = {}
    config, contradiction = Config(), None
    for where, layer in layers:
        remember(*_texts(layer))
        _check_keys(layer, where)
        settings = _merged(settings, layer)
        # Checked layer by layer, so that an error names the file or flag that it comes from.
        try:
            config, contradiction = _convert(settings, where), None
        except _ContradictionError as error:
            contradiction = contradiction or error
    if contradiction is not None:
        raise ConfigError(str(contradiction))
    return config


def to_toml(config: Config) -> str:
    """The settings as TOML that `load_config` reads back. What is not set stands as a comment."""
    return _as_toml(msgspec.to_builtins(config))


def to_printed_toml(config: Config) -> str:
    """The settings as TOML to be looked at: credentials are hidden, and it says where."""
    lines = []
    for section, values in msgspec.to_builtins(config).items():
        shown = {key: _hidden(value) for key, value in values.items()}
        hides = [key for key, value in shown.items() if value != values[key]]
        lines.append(_as_toml({section: shown}))
        lines += [f"# credentials in {section}.{key} are not shown" for key in hides]
        lines.append("")
    return "\n".join(lines).rstrip()


def _as_toml(settings: Settings) -> str:
    lines: list[str] = []
    for section, values in settings.items():
        lines.append(f"[{section}]")
        lines += [
            f"# {key} is not set" if value is None else f"{key} = {_toml_value(value)}" for key, value in values.items()
        ]
        lines.append("")
    return "\n".join(lines).rstrip()


def _hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def read_toml(path: Path) -> Settings:
    """The content of a TOML file. Raises ConfigError where it cannot be read, is none, or far too long."""
    try:
        with from_home(path).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: the name has characters that no file's name has
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: cannot be read ({reason}); --config takes a TOML file") from None
    if len(raw) > MOST_BYTES:  # of a device, there is no end
        raise ConfigError(f"{path}: is longer than {MOST_BYTES >> 10} KiB; --config takes a TOML file of settings")
    remember(*raw.decode("utf-8", "replace").splitlines())  # before anything can be said of it
    try:
        # Some editors begin a file with a byte order mark, which TOML has not.
        return tomllib.loads(raw.decode("utf-8-sig"))
    except _NOT_TOML as error:
        raise ConfigError(f"{path}: not TOML ({error})") from None


def _parse_override(text: str) -> Settings:
    key, equals, value = text.partition("=")
    remember(value)
    section, dot, name = key.strip().partition(".")
    if not (equals and dot and section and name):
        raise ConfigError(f"--set {text!r}: expected section.key=value, e.g. --set tracker.max_faces=2")
    return {section: {name: _parse_value(value.strip())}}


def _parse_value(text: str) -> Any:
    """A number, a boolean, a quoted text or a list as in TOML; anything else is a text, as on a command line."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except _NOT_TOML:
        return text
    return value if isinstance(value, bool | int | float | str | list) else text


def _texts(value: object) -> Iterator[str]:
    """Every text in a layer of settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _merged(base: Settings, over: Mapping[str, Any]) -> Settings:
    return base | {section: {**base.get(section, {}), **values} for section, values in over.items()}


def _convert(settings: Settings, where: str) -> Config:
    try:
        return msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        explained = explain(error, settings, where)
        if isinstance(error.__cause__, ValueError):  # of a section as a whole, by its own rule
            raise _ContradictionError(explained) from None
        raise ConfigError(explained) from None


def _check_keys(settings: Mapping[str, Any], where: str) -> None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Config)}
    for section, values in settings.items():
        if section not in sections:
            raise ConfigError(f"{where}: unknown section [{section}]; {nearest(section, list(sections))}")
        if not isinstance(values, dict):
            raise ConfigError(
                f"{where}: {section} = {values!r} stands outside a section; {nearest(section, list(sections))}"
            )
        keys = [field.name for field in msgspec.structs.fields(sections[section])]
        for key, value in values.items():
            if key not in keys:
                raise ConfigError(f"{where}: unknown key {section}.{key}; {nearest(key, keys, section + '.')}")
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{where}: {section}.{key} = {value}: expected a finite number")


def nearest(word: str, known: list[str], prefix: str = "") -> str:
    """Which of the known keys a user may have meant, in words."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return "known ones are " + ", ".join(f"{prefix}{name}" for name in known)


def explain(error: msgspec.ValidationError, settings: Settings, where: str) -> str:
    """msgspec says what was expected and the path; add the value and say it in our form."""
    message, _, path = str(error).partition(" - at `$.")
    if isinstance(error.__cause__, ValueError):
        return f"{where}: {path.rstrip('`')}.{message}"
    key = path.rstrip("`").partition("[")[0]  # of a list, all of it
    if not key:
        return f"{where}: {message[:1].lower()}{message[1:]}"
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else value
    return f"{where}: {key} = {value!r}: {message[:1].lower()}{message[1:]}"


def _toml_value(value: Any) -> str:
    # JSON's numbers, booleans and flat lists are TOML's too, and so are its texts, but for a bare DEL.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
