"""BERT's uncased WordPiece: a text to the numbers of its pieces, as the sentence encoder was trained with."""

import gzip
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

VOCABULARY = "vocabulary.txt.gz"
UNKNOWN, FIRST, LAST = "[UNK]", "[CLS]", "[SEP]"
LONGEST_WORD = 100
CONTINUED = "##"


def tokenise(text: str) -> list[int]:
    """The numbers of the text's pieces, between those of its beginning and its end."""
    numbers = vocabulary()
    pieces = [piece for word in _words(text) for piece in _pieces(word, numbers)]
    return [numbers[FIRST], *(numbers[piece] for piece in pieces), numbers[LAST]]


def is_unknown(number: int) -> bool:
    """True for the piece that stands for all that the vocabulary lacks."""
    return number == vocabulary()[UNKNOWN]


@cache
def vocabulary() -> Mapping[str, int]:
    """Piece → number; 30,522 pieces."""
    packed = (files(__package__) / VOCABULARY).read_bytes()
    return {piece: number for number, piece in enumerate(gzip.decompress(packed).decode().split("\n"))}


def _words(text: str) -> Iterator[str]:
    """Lower case without accents; each punctuation mark and each Chinese character is a word."""
    plain = unicodedata.normalize("NFD", "".join(one.lower() for one in text))
    word = ""
    for one in plain:
        kind = unicodedata.category(one)
        if kind == "Mn" or (kind.startswith("C") and not one.isspace()):
            continue
        if one.isspace() or _stands_alone(one, kind):
            if word:
                yield word
            word = ""
            if _stands_alone(one, kind):
                yield one
        else:
            word += one
    if word:
        yield word


def _stands_alone(one: str, kind: str) -> bool:
    is_ascii_mark = one.isascii() and one.isprintable() and not one.isalnum() and one != " "
    return is_ascii_mark or kind.startswith("P") or "CJK" in unicodedata.name(one, "")


def _pieces(word: str, numbers: Mapping[str, int]) -> list[str]:
    """The longest pieces from the left; the unknown one where the word isn't made of known ones."""
    pieces: list[str] = []
    start = 0
    while start < len(word) <= LONGEST_WORD:
        mark = CONTINUED if start else ""
        end = next((end for end in range(len(word), start, -1) if mark + word[start:end] in numbers), None)
        if end is None:
            return [UNKNOWN]
        pieces.append(mark + word[start:end])
        start = end
    return pieces or [UNKNOWN]
