"""Bytes with faults in them: what a bad disk, a cut connection, an editor or an attacker makes of a good file."""

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

# What parsers stumble over more often than over noise.
BAD_WORDS: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b[2J",
    b"\xff",
    b"\xff" * 10,
    b"\x80",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"\\u0000",
    b"\\ud800",
    b'"',
    b"{",
    b"}",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"-1e999",
    b"1e308",
    b"NaN",
    b"Infinity",
    b"9" * 30,
    b"9" * 5000,
    b"18446744073709551616",
    b"..",
    b"/etc/passwd",
)


@st.composite
def mutated(draw: st.DrawFn, original: bytes, *, words: Sequence[bytes] = BAD_WORDS, most: int = 4) -> bytes:
    """`original` after up to `most` faults; now and then unharmed, or nothing but noise.

    words: what is written over and between its bytes
    """
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    data = original
    for _ in range(draw(st.integers(0, most))):
        data = _with_a_fault(draw, data, words)
    return data


def _with_a_fault(draw: st.DrawFn, data: bytes, words: Sequence[bytes]) -> bytes:
    start = draw(st.integers(0, len(data)))
    end = min(len(data), start + draw(st.integers(0, 40)))
    match draw(st.sampled_from(("flip", "word", "cut", "drop", "repeat", "move"))):
        case "flip":
            return data[:start] + bytes([draw(st.integers(0, 255))]) + data[start + 1 :]
        case "word":
            return data[:start] + draw(st.sampled_from(words)) + data[end:]
        case "cut":
            return data[:start]
        case "drop":
            return data[:start] + data[end:]
        case "repeat":
            return data[:end] + data[start:end] * draw(st.integers(1, 3)) + data[end:]
        case _:
            target = draw(st.integers(0, len(data)))
            return data[:target] + data[start:end] + data[target:]


Path = tuple[str | int, ...]


@st.composite
def json_mutated(draw: st.DrawFn, original: object) -> object:
    """A JSON value in which one part, however deep, is another one or missing: faults that leave it well-formed."""
    path = draw(st.sampled_from(list(_paths(original, ()))))
    if path and draw(st.integers(0, 7)) == 0:
        return _replaced(original, path, ())
    kinds = {str: _TEXTS, int: st.integers(-3, 2**70), float: _NUMBERS}
    similar = kinds.get(type(_part(original, path)))
    new = draw(similar if similar is not None and draw(st.booleans()) else json_values)
    return _replaced(original, path, (new,))


def _paths(value: object, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, dict | list):
        for key in sorted(value) if isinstance(value, dict) else range(len(value)):
            yield from _paths(value[key], (*path, key))


def _part(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _replaced(value: Any, path: Path, new: tuple[object, ...]) -> Any:
    """A copy with the part at `path` replaced by the one in `new`; without it where there is none."""
    if not path:
        return new[0]
    copied = value.copy()
    if len(path) > 1 or new:
        copied[path[0]] = _replaced(value[path[0]], path[1:], new)
    else:
        del copied[path[0]]
    return copied


_TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", ".", "..", "a/b", "a\nb", "\x1b[2J", "\0", "\u2028", "N", "affect"]
)
_NUMBERS = st.integers(-3, 70) | st.sampled_from([2**31, 2**63, 2**64, 10**30]) | st.floats(-1e308, 1e308)
json_values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
