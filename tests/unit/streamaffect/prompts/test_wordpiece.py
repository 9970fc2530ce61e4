"""Pieces of texts, against numbers that the encoder's own tokenizer gave."""

import pytest

from streamaffect.prompts.wordpiece import is_unknown, tokenise, vocabulary


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("She is beaming!", [2016, 2003, 27910, 999]),
        ("Crème brûlée", [13675, 21382, 7987, 9307, 2063]),
        ("日本", [1864, 1876]),
        ("unbelievably", [4895, 8671, 2666, 3567, 6321]),
        ("\u200bzero\u200bwidth", [5717, 9148, 11927, 2232]),
        ("😀", [100]),
        ("x" * 150, [100]),
        ("", []),
    ],
)
def test_a_text_is_cut_as_the_encoder_was_trained(text: str, numbers: list[int]) -> None:
    assert tokenise(text) == [101, *numbers, 102]


def test_the_vocabulary_is_whole_and_knows_what_it_does_not_know() -> None:
    assert len(vocabulary()) == 30522
    assert is_unknown(tokenise("😀")[1])
    assert not is_unknown(tokenise("smile")[1])
