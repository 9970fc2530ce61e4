"""Prompts as users give them, and what is said of those that cannot be one."""

from pathlib import Path

import pytest

from streamaffect.errors import PromptError
from streamaffect.prompts.reading import Prompt, checked_prompts, file_of, given_prompts, read_text, read_toml


def test_semicolons_separate_prompts_and_one_may_stand_at_the_end() -> None:
    assert [one.text for one in read_text("she is beaming;  about \t to cry ;")] == ["she is beaming", "about to cry"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "prompt 1 is empty"),
        ("a; ;b", "prompt 2 is empty"),
        ("word " * 200, "'word word word word word word word word …' has 200 words"),
        ("x" * 201, "201 characters"),
        ("a\x07b", r"U\+0007 \(no visible character\) cannot stand in a prompt"),
        ("a\u202eb", r"U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        (";".join(f"prompt {i}" for i in range(100)), "100 prompts are given; at most 32"),
        ("smile; Smile.", "'Smile.' is given twice"),
    ],
)
def test_what_cannot_be_a_prompt_is_refused_in_one_line(words: str, complaint: str) -> None:
    with pytest.raises(PromptError, match=complaint) as refused:
        read_text(words)
    assert "\n" not in str(refused.value)


def test_odd_characters_that_can_be_seen_are_taken() -> None:
    assert [one.text for one in read_text("größer ›froh‹; 😀; 'ja' \"so\"")] == [
        "größer ›froh‹",
        "😀",
        "'ja' \"so\"",
    ]


def test_a_file_holds_a_list_or_names_and_sentences(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('prompts = ["she is beaming", "about to cry"]')
    assert read_toml(file) == [Prompt("she is beaming", "she is beaming"), Prompt("about to cry", "about to cry")]
    file.write_text('joy = "she is beaming"\ngrief = "about to cry"\n')
    assert given_prompts(str(file)) == [Prompt("joy", "she is beaming"), Prompt("grief", "about to cry")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("prompts = [", "a file of prompts holds a line prompts ="),
        ("prompts = [1]", "expected prompts ="),
        ("prompts = []", "no prompt is given"),
        ("joy = 3", "expected prompts ="),
        ('joy = ""', "prompt 1 is empty"),
        (b"\xff\xfe", "a file of prompts holds a line"),
        ("#" * 70_000, "70000 bytes"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PromptError, match=complaint) as refused:
        read_toml(file)
    assert str(file) in str(refused.value)


def test_a_file_is_known_by_its_ending_and_compiled_ones_are_for_a_start() -> None:
    assert file_of("she is beaming") is None
    assert file_of("a.toml; b") is None
    assert file_of(" Mine.TOML ") == Path("Mine.TOML")
    with pytest.raises(PromptError, match=r"mine\.json: compiled prompts are taken by run --prompts alone"):
        given_prompts("mine.json")
    with pytest.raises(PromptError, match=r"nothere\.toml: cannot be read \(No such file"):
        given_prompts("nothere.toml")


def test_names_are_checked_as_sentences_are() -> None:
    with pytest.raises(PromptError, match="the name of prompt 1 is empty"):
        checked_prompts({" ": "a smile"})
