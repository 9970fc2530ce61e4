"""`sentences.npz`, which lies beside a bundle's graphs: the sentences of its classes and their embeddings.

names (K,) and sentences (K,), those of a compound class joined by a bar; embeddings (K, D) of length 1; scale, the
factor on the cosines.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamaffect.errors import BundleError

from ...errors import TrainingError

SENTENCES = "sentences.npz"
BETWEEN = " | "


@dataclass(frozen=True, slots=True)
class ClassSentences:
    """Per class its sentences, several for a compound one, and their embeddings (K, D) of length 1."""

    sentences: Mapping[str, list[str]]
    embeddings: Tensor


def pack_sentences(classes: ClassSentences, scale: float) -> bytes:
    """The content of the file. scale: the factor on the cosines."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.array(list(classes.sentences)),
        sentences=np.array([BETWEEN.join(own) for own in classes.sentences.values()]),
        embeddings=classes.embeddings.numpy(),
        scale=np.float32(scale),
    )
    return buffer.getvalue()


def read_sentences(bundle: Path) -> tuple[ClassSentences, float]:
    """The classes of a bundle and the factor on the cosines.

    Raises:
        TrainingError: the bundle is none of EmoCLIP.
        BundleError: the file is damaged.
    """
    file = bundle / SENTENCES
    try:
        with np.load(file, allow_pickle=False) as packed:
            texts = dict(zip(packed["names"].tolist(), packed["sentences"].tolist(), strict=True))
            sentences = {name: text.split(BETWEEN) for name, text in texts.items()}
            return ClassSentences(sentences, torch.from_numpy(packed["embeddings"])), float(packed["scale"])
    except FileNotFoundError:
        raise TrainingError(f"{bundle}: holds no {SENTENCES}; only bundles of EmoCLIP have sentences") from None
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"{file}: cannot be read ({error}); export the bundle again") from error
