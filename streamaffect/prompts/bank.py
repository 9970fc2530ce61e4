"""The phrase bank: what a prompt means, by the phrases that are most like it.

Every phrase of `bank.toml` is tagged with an emotion, an action unit, or as something that neither tells (`unseen`). A
prompt's embedding is compared with those of all phrases, centred on their mean; kernel ridge regression on these
similarities and a softmax turn them into the weights of the attributes. Their sum over the standardised outputs of the
stream is the prompt's score. It knows synonyms: a concept that the stream's outputs lack stays unknown, whatever it is
called. `docs/assets/make_phrase_bank.py` makes `bank.npz`.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from streamaffect.prompts.compiled import CompiledPrompt
from streamaffect.prompts.reading import Prompt, plain
from streamaffect.types import FloatArray

PHRASES, BANK = Path(__file__).parent / "bank.toml", Path(__file__).parent / "bank.npz"
UNSEEN = "unseen"
FACES = ("mean", "scale", "curve")  # what faces have given; the rest is made of phrases alone
WIDTH, RIDGE, TEMPERATURE = 0.8, 0.1, 0.06
LEAST_WEIGHT = 0.01  # less is left out


@dataclass(frozen=True, slots=True)
class PhraseBank:
    """The bank as it is used.

    phrases:    N texts, and the attribute of each; places: of each without case and outer marks
    attributes: A names: eight emotions, units as AU12, and `unseen`
    vectors:    (N, 384) centred, of length 1; centre: (384,)
    answers:    (N, A) of the regression; base: (A,)
    mean, scale: (A,) of the stream's outputs; curve: slope and offset from a prompt's sum to its score
    sha256:     of the phrases
    """

    phrases: tuple[str, ...]
    tags: tuple[str, ...]
    attributes: tuple[str, ...]
    vectors: FloatArray
    centre: FloatArray
    answers: FloatArray
    base: FloatArray
    mean: FloatArray
    scale: FloatArray
    curve: tuple[float, float]
    sha256: str
    places: Mapping[str, int]

    def known_vector(self, prompt: Prompt) -> FloatArray | None:
        """The vector (384,) of a prompt that is a phrase of the bank, for which no encoder is needed."""
        place = self.places.get(plain(prompt.text))
        return None if place is None else self.vectors[place]

    def vector(self, embedding: FloatArray) -> FloatArray:
        """An embedding (384,) as vectors of the bank are; zeros stay zeros."""
        if not embedding.any():
            return embedding
        centred = embedding - self.centre
        return np.asarray(centred / np.linalg.norm(centred), np.float32)

    def compile(self, prompt: Prompt, vector: FloatArray, seen: Collection[str]) -> CompiledPrompt:
        """What a prompt means. seen: attributes that the stream gives; weight on others lowers the confidence."""
        similar = self.vectors @ vector
        answer = kernel(similar) @ self.answers + self.base
        weights = np.exp((answer - answer.max()) / TEMPERATURE)
        weights /= weights.sum()
        visible = np.array([one in seen for one in self.attributes])
        candidates = np.array([tag in seen for tag in self.tags])
        nearest = int(np.where(candidates, similar, -1.0).argmax()) if vector.any() else None
        share = float(weights[visible].sum())
        return CompiledPrompt(
            name=prompt.name,
            text=prompt.text,
            weights={
                name: round(float(weight), 4)
                for name, weight in zip(self.attributes, weights, strict=True)
                if weight >= LEAST_WEIGHT
            },
            confidence=0.0 if nearest is None else round(min(max(float(similar[nearest]) * share, 0.0), 1.0), 4),
            nearest="" if nearest is None else self.phrases[nearest],
        )


@cache
def load_bank() -> PhraseBank:
    """The bank that is shipped."""
    phrases = tuple(text for own in read_phrases().values() for text in own)
    with np.load(BANK, allow_pickle=False) as packed:
        vectors = packed["vectors"].astype(np.float32) * packed["steps"][:, None]
        attributes = tuple(packed["attributes"].tolist())
        slope, offset = packed["curve"].tolist()
        return PhraseBank(
            phrases=phrases,
            tags=tuple(attributes[tag] for tag in packed["tags"]),
            attributes=attributes,
            vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            centre=packed["centre"],
            answers=packed["answers"],
            base=packed["base"],
            mean=packed["mean"],
            scale=packed["scale"],
            curve=(slope, offset),
            sha256=str(packed["sha256"]),
            places={plain(one): i for i, one in enumerate(phrases)},
        )


def read_phrases() -> dict[str, list[str]]:
    """Attribute → its phrases."""
    return tomllib.loads(PHRASES.read_text(encoding="utf-8"))


def kernel(similar: FloatArray) -> FloatArray:
    """The regression's kernel of cosines, in (0, 1]."""
    return np.asarray(np.exp((similar - 1) / WIDTH), similar.dtype)
