import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.errors import ConfigError
from streamaffect.names import MAX_NAME_BYTES, checked_name, free_name, made_name


@given(st.text())
def test_any_text_makes_a_name_that_is_one(text: str) -> None:
    name = made_name(text)
    assert checked_name(name) == name
    assert len(name.encode()) <= MAX_NAME_BYTES


def test_a_name_of_64_characters_is_the_longest() -> None:
    assert checked_name("x" * 64) == "x" * 64
    with pytest.raises(ConfigError, match="is 65 characters long"):
        checked_name("x" * 65)


@given(st.text(min_size=1), st.integers(0, 120))
def test_equal_names_are_told_apart_by_numbers_and_stay_short(text: str, others: int) -> None:
    taken: set[str] = set()
    for _ in range(others + 1):
        name = free_name(made_name(text), taken)
        assert name not in taken
        assert checked_name(name) == name
        taken.add(name)
