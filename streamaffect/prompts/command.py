"""The verb `prompts`: what sentences mean to the stream, on the terminal or compiled into a file."""

import argparse
import sys
from pathlib import Path

import msgspec

from streamaffect.errors import PromptError
from streamaffect.prompts.by_phrases import PhraseReader
from streamaffect.prompts.compiled import packed
from streamaffect.prompts.opening import open_reader, read_words
from streamaffect.prompts.reading import COMPILED, given_prompts
from streamaffect.runtime.bundle import load_bundle


def prompts(options: argparse.Namespace) -> int:
    """Do what was typed; returns the exit code. Raises PromptError where the prompts cannot be read or written."""
    reader = open_reader(load_bundle(options.bundle))
    if options.command == "compile":
        _compile(reader, options.prompts, options.out, overwrite=options.overwrite)
        return 0
    read = read_words(options.prompts, reader)
    text = msgspec.json.encode(read.outputs).decode() if options.json else "\n".join(read.in_words)
    sys.stdout.write(f"{text}\n")
    return 0


def _compile(reader: object, words: str, out: Path, *, overwrite: bool) -> None:
    if not isinstance(reader, PhraseReader):
        raise PromptError(
            "prompts compile: this bundle reads prompts with a text encoder of its own, and needs no compiled ones; "
            "`train prompts` writes others into it"
        )
    if out.suffix.lower() != COMPILED:
        raise PromptError(f"--out {out}: expected a name that ends in {COMPILED}, by which run --prompts knows it")
    content = reader.packed(given_prompts(words))
    try:
        with out.open("wb" if overwrite else "xb") as file:
            file.write(packed(content))
    except FileExistsError:
        raise PromptError(f"--out {out}: exists; --overwrite replaces it") from None
    except OSError as error:
        raise PromptError(f"--out {out}: cannot be written ({error.strerror})") from None
    for one in content.prompts:
        sys.stdout.write(f"{one.in_words}\n")
    sys.stdout.write(f"written to {out}; run with --prompts {out}\n")
