"""Settings of a fleet: TOML → typed, checked structs, and of each group the settings of its run.

What is wrong is a ConfigError that names the file, the key, the value and what was expected, as for a run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.config import Config, checked_config, explain, nearest, read_toml
from streamaffect.errors import ConfigError
from streamaffect.fleet.settings import FleetConfig, GroupSettings
from streamaffect.names import free_name, is_name
from streamaffect.sources.parse import kind_of, split_name

# What a fleet decides for its groups; they would publish, answer and listen where others do.
FLEETS_OWN = ("feed", "control", "web", "lsl", "osc", "mqtt", "metrics")
FLEETS_OWN_KEYS = {"run": ("sources", "id")}


def load_fleet(path: Path, *, flags: Mapping[str, Mapping[str, object]] | None = None) -> FleetConfig:
    """Settings from a file, over them flags by section. Raises ConfigError where any of them is none."""
    settings = read_toml(path)
    where = str(path)
    _check_keys(settings, FleetConfig, where, "")
    for section, values in (flags or {}).items():
        settings[section] = {**settings.get(section, {}), **values}
    if not isinstance(settings.get("groups"), dict) or not settings["groups"]:
        raise ConfigError(f'{where}: has no groups; add one: [groups.NAME] with sources = ["door=rtsp://…"]')
    for name, group in settings["groups"].items():
        try:
            msgspec.convert(group, GroupSettings)
        except msgspec.ValidationError as error:
            raise ConfigError(explain(error, group, f"{where}: groups.{name}")) from None
    try:
        config = msgspec.convert(settings, FleetConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(explain(error, settings, where)) from None
    _check_groups(config, where)
    return config


def run_config(config: FleetConfig, name: str, *, sources: Sequence[str] | None = None, run: str = "") -> Config:
    """The settings of a group's run; `sources` are those that it has by now. Raises ConfigError."""
    group = config.groups[name]
    return _run_config(config, name, group, "settings", sources=sources, run=run)


def stream_names(sources: Sequence[str]) -> list[str]:
    """What a run calls the streams of these sources. Raises ConfigError where one cannot be read."""
    names: list[str] = []
    for text in sources:
        names.append(free_name(split_name(text)[0], names))
    return names


def _run_config(
    config: FleetConfig,
    name: str,
    group: GroupSettings,
    where: str,
    *,
    sources: Sequence[str] | None = None,
    run: str = "",
) -> Config:
    own = {"run": {"sources": list(group.sources if sources is None else sources), "id": run}}
    return checked_config(
        [
            (f"{where}: settings", config.settings),
            (f"{where}: groups.{name}.settings", group.settings),
            (f"{where}: groups.{name}", own),
        ]
    )


def _check_groups(config: FleetConfig, where: str) -> None:
    _check_not_ours(config.settings, f"{where}: settings")
    owners: dict[str, str] = {}
    for name, group in config.groups.items():
        if not is_name(name):
            raise ConfigError(f"{where}: groups.{name!r}: expected a name of letters, digits, '_', '.' and '-'")
        _check_not_ours(group.settings, f"{where}: groups.{name}.settings")
        run = _run_config(config, name, group, where)
        for source in run.run.sources:
            if kind_of(split_name(source)[1]) == "replay":
                raise ConfigError(
                    f"{where}: groups.{name}.sources: {source}: a recording is replayed alone: streamaffect replay"
                )
        for stream in stream_names(run.run.sources):
            if stream in owners:
                raise ConfigError(
                    f"{where}: groups.{name}.sources: stream {stream!r} is in groups.{owners[stream]} too; every "
                    f'stream of a fleet needs a name of its own: "{stream}-2=SOURCE"'
                )
            owners[stream] = name


def _check_not_ours(settings: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for what is the fleet's own to decide."""
    for section, values in settings.items():
        if section in FLEETS_OWN:
            raise ConfigError(
                f"{where}: [{section}] is not for single groups: all of them are published at one address; "
                + (f"set [{section}] of the fleet" if section in FleetConfig.__struct_fields__ else _OUTLETS)
            )
        for key in FLEETS_OWN_KEYS.get(section, ()):
            if key in values:
                instead = "groups.NAME.sources names them" if key == "sources" else "the fleet gives each run one"
                raise ConfigError(f"{where}: {section}.{key} is not for groups: {instead}")


_OUTLETS = "what reads it can subscribe to the joint feed"


def _check_keys(settings: Mapping[str, Any], kind: type, where: str, prefix: str) -> None:
    """Raise ConfigError for a key that no struct has, and name the nearest one."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in settings.items():
        if key not in fields:
            raise ConfigError(f"{where}: unknown key {prefix}{key}; {nearest(key, list(fields), prefix)}")
        wanted = fields[key]
        if isinstance(value, Mapping) and isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            _check_keys(value, wanted, where, f"{prefix}{key}.")
        elif key == "groups" and isinstance(value, Mapping):
            for name, group in value.items():
                if not isinstance(group, Mapping):
                    raise ConfigError(f"{where}: groups.{name} = {group!r}: expected a table, [groups.{name}]")
                _check_keys(group, GroupSettings, where, f"groups.{name}.")
