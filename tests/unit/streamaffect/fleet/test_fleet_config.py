"""Settings of a fleet: what is given is read, and each mistake names the file, the key and what would be right."""

from pathlib import Path

import pytest

from streamaffect.errors import ConfigError
from streamaffect.fleet.config import load_fleet, run_config, stream_names

GOOD = """
[settings.engine]
precision = "fp32"
[groups.entrance]
sources = ["door=rtsp://10.0.0.7/live", "hall=rtsp://10.0.0.8/live"]
[groups.lab]
sources = ["desk=webcam"]
cpus = 0.5
labels = {room = "lab"}
settings.engine.threads = 2
settings.faces.tiles = 2
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "fleet.toml"
    file.write_text(text, encoding="utf-8")
    return file


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_fleet(written(folder, text))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder / "fleet.toml"))
    return message.removeprefix(f"{folder}/")


def test_a_group_has_the_settings_of_all_and_over_them_its_own(tmp_path: Path) -> None:
    config = load_fleet(written(tmp_path, GOOD))
    lab, entrance = (run_config(config, name, run=f"run-of-{name}") for name in ("lab", "entrance"))
    assert (lab.engine.precision, lab.engine.threads, lab.faces.tiles) == ("fp32", 2, 2)
    assert (entrance.engine.precision, entrance.engine.threads, entrance.faces.tiles) == ("fp32", 1, 1)
    assert lab.run.sources == ["desk=webcam"]
    assert lab.run.id == "run-of-lab"


def test_what_was_added_to_a_group_while_it_ran_is_in_its_next_run(tmp_path: Path) -> None:
    config = load_fleet(written(tmp_path, GOOD))
    assert run_config(config, "lab", sources=["desk=webcam", "more=demo"]).run.sources == ["desk=webcam", "more=demo"]


def test_flags_come_over_the_file(tmp_path: Path) -> None:
    flags = {"cluster": {"address": "10.0.0.2:6379"}, "feed": {"bind": "tcp://127.0.0.1:6000"}}
    config = load_fleet(written(tmp_path, GOOD), flags=flags)
    assert (config.cluster.address, config.feed.bind) == ("10.0.0.2:6379", "tcp://127.0.0.1:6000")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "fleet.toml: has no groups; add one: [groups.NAME]"),
        ("groups = 3", "fleet.toml: has no groups"),
        ("[groups]\na = 3", "groups.a = 3: expected a table, [groups.a]"),
        ("[groups.a]", "groups.a: object missing required field `sources`"),
        ("[groups.a]\nsources = []", "groups.a: sources = []: expected `array` of length >= 1"),
        ('[groups.a]\nsources = ["demo"]\ncpu = 1', "unknown key groups.a.cpu; did you mean groups.a.cpus?"),
        ('[groups.a]\nsources = ["demo"]\ncpus = 0', "groups.a: cpus = 0: expected `float` > 0.0"),
        ('[groups.a]\nsources = ["demo"]\ncpus = nan', "groups.a: cpus = nan"),
        ('[groups.a]\nsources = ["demo"]\n[clusters]', "unknown key clusters; did you mean cluster?"),
        ('[groups.a]\nsources = ["demo"]\n[cluster]\ntoken = "x"', "cluster.token; did you mean cluster.token_file?"),
        (
            '[groups.a]\nsources = ["demo"]\n[supervision]\nsilence_s = 0',
            "supervision.silence_s = 0: expected `float` >",
        ),
        (
            '[groups.a]\nsources = ["demo"]\nsettings.faces.tile = 2',
            "unknown key faces.tile; did you mean faces.tiles?",
        ),
        ('[groups.a]\nsources = ["demo"]\nsettings.faces.tiles = 9', "groups.a.settings: faces.tiles = 9: expected"),
        ('[settings.face]\n[groups.a]\nsources = ["demo"]', "settings: unknown section [face]; did you mean faces?"),
        ('[settings.feed]\nbind = "x"\n[groups.a]\nsources = ["demo"]', "[feed] is not for single groups"),
        ('[groups.a]\nsources = ["demo"]\nsettings.mqtt.url = "mqtt://x"', "[mqtt] is not for single groups"),
        ('[groups.a]\nsources = ["demo"]\nsettings.run.id = "x"', "run.id is not for groups: the fleet gives each"),
        ('[groups.a]\nsources = ["demo"]\n[groups.b]\nsources = ["demo"]', "stream 'demo' is in groups.a too"),
        ('[groups."a b"]\nsources = ["demo"]', "expected a name of letters, digits"),
        ('[groups.a]\nsources = ["replay:x.jsonl"]', "a recording is replayed alone"),
        ('[groups.a]\nsources = ["demo"]\n[supervision]\nbackoff_min_s = 9\nbackoff_max_s = 1', "above backoff_max_s"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    assert words in complaint(tmp_path, text)


def test_a_password_is_in_no_complaint(tmp_path: Path) -> None:
    text = '[groups.a]\nsources = ["door=rtsp://me:hunter2@10.0.0.7/live", 3]'
    assert "hunter2" not in complaint(tmp_path, text)


def test_streams_without_a_name_are_called_as_a_run_calls_them() -> None:
    assert stream_names(["demo", "demo", "x=webcam:1"]) == ["demo", "demo-2", "x"]
