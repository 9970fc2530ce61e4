"""Settings: what is given is read, and each mistake is named with the key, the value and what would be right."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamaffect.config import Config, load_config, to_toml
from streamaffect.errors import ConfigError
from streamaffect.settings import RunSettings


def write(folder: Path, text: str) -> Path:
    file = folder / "stream.toml"
    file.write_text(text, encoding="utf-8")
    return file


def message_of(*overrides: str, path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def value_of(override: str) -> object:
    """The value of the one setting that the override sets."""
    section, _, key = override.partition("=")[0].strip().partition(".")
    value: object = getattr(getattr(load_config(overrides=[override]), section), key)
    return value


def test_without_anything_all_is_default() -> None:
    assert load_config() == Config()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, '[run]\nsources = ["webcam"]\n[faces]\nmin_score = 0.75\n'))
    assert config.run == RunSettings(sources=["webcam"])
    assert config.faces.min_score == 0.75
    assert config.tracker == Config().tracker


def test_set_wins_over_the_file_and_flags_win_over_both(tmp_path: Path) -> None:
    path = write(tmp_path, "[tracker]\nmax_faces = 2\nconfirm_hits = 5\nkeep_s = 0.25\n")
    overrides = ["tracker.max_faces=3", "tracker.keep_s=0.5", "tracker.keep_s=0.75"]
    tracker = load_config(path, overrides, flags={"tracker": {"max_faces": 4}}).tracker
    assert (tracker.max_faces, tracker.keep_s, tracker.confirm_hits) == (4, 0.75, 5)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("tracker.max_faces=3", 3),
        ("tracker.keep_s = 0.25", 0.25),
        ("tracker.keep_s=1", 1.0),
        ("tracker.keep_s=1e-1", 0.1),
        ("run.realtime=true", True),
        ("run.realtime=false", False),
        ("engine.backend=onnxruntime", "onnxruntime"),
        ('engine.backend="onnxruntime"', "onnxruntime"),
        ("run.record=/data/a=b.jsonl", "/data/a=b.jsonl"),
        ("run.record=my talk.jsonl", "my talk.jsonl"),
        ("run.record='it''s'", "'it''s'"),
        ("run.record=", ""),
        ("run.record=2026-11-20", "2026-11-20"),
        ("run.record='007'", "007"),
        ('run.sources=["webcam", "b=demo"]', ["webcam", "b=demo"]),
        ("run.sources=[]", []),
    ],
)
def test_set_takes_numbers_booleans_words_quoted_texts_and_lists(override: str, value: object) -> None:
    assert value_of(override) == value
    assert type(value_of(override)) is type(value)


@pytest.mark.parametrize("text", ["realtime=true", "run.realtime", "=3", "run.=3", ".realtime=3", "", "run"])
def test_a_set_that_is_not_section_key_value_is_named_with_an_example_that_works(text: str) -> None:
    message = message_of(text)
    assert f"--set {text!r}: expected section.key=value" in message
    load_config(overrides=[message.rpartition("--set ")[2]])


MISTAKES = {
    "faces.min_scor=1": "unknown key faces.min_scor; did you mean faces.min_score?",
    "run.xyz=1": "unknown key run.xyz; known ones are run.sources, run.bundle, run.realtime",
    "tracker.max_faces.x=1": "unknown key tracker.max_faces.x",
    "face.min_score=1": "unknown section [face]; did you mean faces?",
    "zzz.min_score=1": "unknown section [zzz]; known ones are run, engine, source, faces, tracker, lens, describe",
    "run.realtime=maybe": "run.realtime = 'maybe': expected `bool`",
    "run.realtime=1": "run.realtime = 1: expected `bool`",
    "tracker.max_faces=two": "tracker.max_faces = 'two': expected `int`",
    "tracker.max_faces=1.5": "tracker.max_faces = 1.5: expected `int`",
    "run.record=3": "run.record = 3: expected `str`",
    "run.sources=webcam": "run.sources = 'webcam': expected `array`",
    "run.sources=[1]": "run.sources = [1]: expected `str`",
    'run.sources=["a", 2]': "run.sources = ['a', 2]: expected `str`",
    "faces.min_score=1.5": "faces.min_score = 1.5: expected `float` <= 1",
    "tracker.max_faces=0": "tracker.max_faces = 0: expected `int` >= 1",
    "run.max_seconds=-1": "run.max_seconds = -1: expected `float` >= 0",
    "run.max_seconds=nan": "run.max_seconds = nan: expected a finite number",
    "run.max_seconds=inf": "run.max_seconds = inf: expected a finite number",
    "run.max_seconds=" + "9" * 5000: "expected `float`, got `str`",
    "run.max_seconds=" + "[" * 5000: "expected `float`, got `str`",
    "engine.backend=caffe": "engine.backend = 'caffe': invalid enum value 'caffe'",
    'run.priorities=["door"]': "run.priorities has 'door', expected NAME=SHARE with a share from 0.01 to 100",
    'run.priorities=["a=2", "=3"]': "run.priorities has '=3', expected",
    'run.priorities=["a=nan"]': "run.priorities has 'a=nan', expected",
    "source.backoff_min_s=60": "backoff_min_s is 60, above backoff_max_s 0.75",
}


@pytest.mark.parametrize("first", ["backoff_min_s", "backoff_max_s"])
def test_what_two_keys_say_together_is_judged_once_all_files_and_flags_are_read(tmp_path: Path, first: str) -> None:
    value, [second] = 5, {"backoff_min_s", "backoff_max_s"} - {first}
    both = [f"source.{first}={value}", f"source.{second}={value}"]
    assert load_config(None, both).source.backoff_max_s == value
    (tmp_path / "settings.toml").write_text(f"[source]\n{first} = {value}\n")
    assert load_config(tmp_path / "settings.toml", both[1:]).source.backoff_min_s == value
    (tmp_path / "settings.toml").write_text("[source]\nbackoff_min_s = 5\n")
    with pytest.raises(ConfigError, match=r"settings\.toml: source\.backoff_min_s is 5, above .* set both"):
        load_config(tmp_path / "settings.toml", ["faces.tiles=2"])


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_named_with_its_key_and_value(override: str) -> None:
    message = message_of(override)
    assert "--set" in message
    assert MISTAKES[override] in message


FILES: dict[str, tuple[str, str]] = {
    "unknown key": ("[faces]\nmin_scor = 1\n", "unknown key faces.min_scor; did you mean faces.min_score?"),
    "unknown section": ("[Run]\n", "unknown section [Run]; did you mean run?"),
    "a key outside a section": ("run = 3\n", "run = 3 stands outside a section"),
    "an unknown key outside a section": ("min_score = 0.5\n", "min_score"),
    "wrong type": ('[tracker]\nkeep_s = "long"\n', "tracker.keep_s = 'long': expected `float`"),
    "a date": ("[run]\nrecord = 2026-11-20\n", "run.record"),
    "a table in a list": ("[run]\nsources = [{a = 1}]\n", "run.sources = [{'a': 1}]: expected `str`"),
    "not finite": ("[tracker]\nbeta = nan\n", "tracker.beta = nan: expected a finite number"),
    "not TOML": ("[run\n", "not TOML"),
    "a number that is too long": ("[tracker]\nkeep_s = " + "9" * 5000, "not TOML"),
    "lists without end": ("[run]\nsources = " + "[" * 5000, "not TOML"),
    "a line break in a name": ('[faces]\n"a\\nb" = 1\n', "unknown key faces.a\\nb"),
    "twice": ("[run]\nrecord = 'a'\nrecord = 'b'\n", "not TOML"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_mistake_in_a_file_is_named_with_the_file(tmp_path: Path, case: str) -> None:
    text, expected = FILES[case]
    path = write(tmp_path, text)
    message = message_of(path=path)
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_a_mistake_in_a_file_is_not_blamed_on_set(tmp_path: Path) -> None:
    assert "--set" not in message_of("tracker.max_faces=2", path=write(tmp_path, "[faces]\nmin_score = 2\n"))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stream.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert f"{path}: not TOML" in message_of(path=path)


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'no.toml'}: cannot be read (No such file" in message_of(path=tmp_path / "no.toml")
    assert f"{tmp_path}: cannot be read (Is a directory)" in message_of(path=tmp_path)
    assert "cannot be read (embedded null byte)" in message_of(path=tmp_path / "a\0b")


def test_the_defaults_survive_as_toml(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, to_toml(Config()))) == Config()


texts = st.text(st.characters(codec="utf-8"))


def finite(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False)


@settings(deadline=None)
@given(
    sections=st.fixed_dictionaries(
        {
            "run": st.fixed_dictionaries(
                {
                    "sources": st.lists(texts),
                    "record": texts,
                    "realtime": st.booleans(),
                    "max_seconds": finite(0, 1e300),
                    "priorities": st.lists(finite(0.01, 100).map("door={!r}".format)),
                }
            ),
            "engine": st.fixed_dictionaries({"threads": st.integers(1, 64)}),
            "source": st.fixed_dictionaries({"backoff_min_s": finite(1e-300, 0.75)}),
            "faces": st.fixed_dictionaries({"min_score": finite(0, 1)}),
        }
    )
)
def test_any_settings_survive_as_toml(tmp_path_factory: pytest.TempPathFactory, sections: dict[str, Any]) -> None:
    config = msgspec.convert(sections, Config)
    path = write(tmp_path_factory.getbasetemp(), to_toml(config))
    assert load_config(path) == config


def test_settings_load_nothing_of_what_they_set() -> None:
    code = "import sys, streamaffect.config; print(*sorted(name for name in sys.modules if 'streamaffect.' in name))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name.removeprefix("streamaffect.") for name in child.stdout.split()] == [
        "config",
        "errors",
        "paths",
        "redaction",
        "settings",
    ]
