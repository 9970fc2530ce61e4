"""Settings: any TOML and any `--set` is a Config or a ConfigError of one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.config import Config, load_config, to_printed_toml, to_toml
from streamaffect.errors import ConfigError
from tests.fuzz.byte_parsers import assert_one_line
from tests.fuzz.effort import effort
from tests.fuzz.mutation import mutated

GOOD = to_toml(Config()).encode()
KEYS = [
    f"{section}.{key}" for section in Config.__struct_fields__ for key in getattr(Config(), section).__struct_fields__
]
TOML_WORDS = [
    b"=", b"[", b"[[", b"]", b".", b"'''", b'"""', b'"\\n"', b'"a\\nb" = 1\n', b'["\\u001b[2J"]\n', b"{a = 1}",
    b"1979-05-27",
    b"inf", b"-nan", b"0x" + b"f" * 300, b"9" * 30, b"9" * 5000, b"1e999", b"1_0", b"[" * 3000,
    b"\xef\xbb\xbf", b"\xff", b"\0",
]  # fmt: skip

# As on a command line, whose words may hold bytes that are no UTF-8.
any_text = st.text(st.characters(exclude_categories=["Cs"]) | st.just("\udcff"), max_size=30)
values = any_text | st.sampled_from(
    [
        "true",
        "nan",
        "-inf",
        "[]",
        "[[]]",
        "{}",
        "''",
        '"\\n"',
        "'a",
        "1\n2",
        "9" * 400,
        "9" * 5000,
        "[" * 3000,
        "1e400",
        "00:00",
        "2026-13-45",
    ]
)


def check_settings(path: Path | None, overrides: list[str]) -> None:
    try:
        config = load_config(path, overrides)
    except ConfigError as error:
        assert_one_line(error)
        return
    assert isinstance(config, Config)
    to_printed_toml(config)


def check_file(folder: Path, data: bytes) -> None:
    file = folder / "fuzzed.toml"
    file.write_bytes(data)
    check_settings(file, [])


@effort
@given(data=mutated(GOOD, words=TOML_WORDS))
def test_any_file_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    check_file(tmp_path_factory.getbasetemp(), data)


@effort
@given(overrides=st.lists(st.builds("{}={}".format, st.sampled_from(KEYS), values), min_size=1, max_size=3))
def test_any_value_of_a_setting_is_taken_or_refused_in_one_line(overrides: list[str]) -> None:
    check_settings(None, overrides)


@effort
@given(word=any_text | st.builds("{}.{}={}".format, any_text, any_text, values))
def test_any_word_after_set_is_taken_or_refused_in_one_line(word: str) -> None:
    check_settings(None, [word])


@effort
@given(name=any_text)
def test_any_name_of_a_file_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    check_settings(tmp_path_factory.getbasetemp() / "none" / name, [])
