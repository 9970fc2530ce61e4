"""Prompts as a user gives them: a text with semicolons, or a TOML file."""

import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamaffect.errors import PromptError
from streamaffect.paths import from_home

BETWEEN = ";"
MOST_PROMPTS, MOST_WORDS, MOST_CHARACTERS = 32, 40, 200
LONGEST_FILE = 65536
SHOWN = 40
TOML, COMPILED = ".toml", ".json"
EXAMPLE = 'prompts = ["she is beaming", "about to cry"]'


@dataclass(frozen=True, slots=True)
class Prompt:
    """A sentence, and the name under which its value is published: the sentence itself unless a file names it."""

    name: str
    text: str


def file_of(words: str) -> Path | None:
    """The file that the words name, TOML or compiled; None for prompts themselves."""
    text = words.strip()
    return from_home(text) if text.lower().endswith((TOML, COMPILED)) and BETWEEN not in text else None


def given_prompts(words: str) -> list[Prompt]:
    """Prompts, or those of a TOML file. Raises PromptError where they cannot be read."""
    file = file_of(words)
    if file is not None and file.suffix.lower() == COMPILED:
        raise PromptError(f"{file}: compiled prompts are taken by run --prompts alone; give a text or a TOML file")
    return read_text(words) if file is None else read_toml(file)


def read_text(words: str) -> list[Prompt]:
    """The prompts of "she is beaming; about to cry". Raises PromptError where one of them cannot be one."""
    parts = words.split(BETWEEN)
    return checked_prompts(parts[:-1] if len(parts) > 1 and not parts[-1].strip() else parts)


def read_toml(file: Path) -> list[Prompt]:
    """The prompts of a file: a list `prompts`, or lines `name = "a sentence"`, as `python -m train prompts` takes them.

    Raises PromptError where it cannot be read, is no TOML, or holds something else.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise PromptError(
            f"{file}: cannot be read ({error.strerror}); a file of prompts holds a line {EXAMPLE}"
        ) from None
    if len(raw) > LONGEST_FILE:
        raise PromptError(f"{file}: has {len(raw)} bytes, a file of prompts at most {LONGEST_FILE}")
    try:
        content = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PromptError(f"{file}: {error}; a file of prompts holds a line {EXAMPLE}") from None
    given = content["prompts"] if set(content) == {"prompts"} else content
    if isinstance(given, str):
        return read_text(given)
    named = isinstance(given, dict)
    sentences = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(sentences, list) or not all(isinstance(one, str) for one in sentences):
        raise PromptError(f'{file}: expected {EXAMPLE}, or lines such as joy = "she is beaming"')
    try:
        return checked_prompts(given if named else sentences)
    except PromptError as error:
        raise PromptError(f"{file}: {error}") from None


def checked_prompts(given: Sequence[str] | Mapping[str, str]) -> list[Prompt]:
    """Sentences, or name → sentence, as prompts. Raises PromptError where one of them cannot be one."""
    pairs = given.items() if isinstance(given, Mapping) else [(text, text) for text in given]
    prompts = [_prompt(name, text, i) for i, (name, text) in enumerate(pairs, 1)]
    if not prompts:
        raise PromptError('no prompt is given; expected for instance "she is beaming; about to cry"')
    if len(prompts) > MOST_PROMPTS:
        raise PromptError(f"{len(prompts)} prompts are given; at most {MOST_PROMPTS} are taken at once")
    names = [plain(one.name) for one in prompts]
    if twice := next((one.name for i, one in enumerate(prompts) if plain(one.name) in names[:i]), None):
        raise PromptError(f"prompt {twice!r} is given twice")
    return prompts


def plain(text: str) -> str:
    """A text as it is compared with others: without case, outer marks and differences of blanks."""
    return " ".join(text.casefold().strip(" .!?\"'").split())


def _prompt(name: str, text: str, number: int) -> Prompt:
    sentence = _checked(text, f"prompt {number}")
    return Prompt(sentence if name == text else _checked(name, f"the name of prompt {number}"), sentence)


def _checked(text: str, what: str) -> str:
    sentence = " ".join(text.split())
    if not sentence:
        raise PromptError(f"{what} is empty; a prompt is a word or a sentence, e.g. she is beaming")
    wrong = next((one for one in sentence if not one.isprintable()), None)
    if wrong is not None:
        seen = unicodedata.name(wrong, "no visible character")
        raise PromptError(f"{what} {_shortened(sentence)!r}: U+{ord(wrong):04X} ({seen}) cannot stand in a prompt")
    words = len(sentence.split())
    if words > MOST_WORDS or len(sentence) > MOST_CHARACTERS:
        raise PromptError(
            f"{what} {_shortened(sentence)!r} has {words} words, {len(sentence)} characters; at most {MOST_WORDS} and "
            f"{MOST_CHARACTERS} are taken; say one thing in a prompt, and separate several with {BETWEEN}"
        )
    return sentence


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
