"""The text classifier of a bundle, which not every bundle has: the key `text` of its manifest, and one more graph.

The three core graphs do not depend on it, and loading a bundle does not look at it. Whoever runs it reads this.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import MANIFEST, Bundle
from streamaffect.text.textualise import TextualiserConfig


class TextSpec(msgspec.Struct, frozen=True):
    """What turns a face and a voice into tokens, and what the classifier's answer means.

    graph:       role of the graph: input_ids, attention_mask int64 (N, L) → probabilities float32 (N, K)
    classes:     K names, in the order of the probabilities
    tokenizer:   folder of the tokenizer within the bundle; max_tokens: longer texts are cut
    pad_token:   number of the token that fills a batch up
    textualiser: how the texts were written that it was trained on
    """

    graph: str
    classes: tuple[str, ...]
    tokenizer: str
    max_tokens: int
    pad_token: int
    textualiser: TextualiserConfig


def read_text_spec(bundle: Bundle) -> TextSpec | None:
    """The bundle's text classifier, its graph checked against its hash; None where it has none.

    Raises BundleError if the key `text` is wrong, or if the graph or the tokenizer is missing or altered.
    """
    file = bundle.path / MANIFEST
    content: Any = msgspec.json.decode(file.read_bytes())
    if "text" not in content:
        return None
    try:
        spec = msgspec.convert(content["text"], TextSpec)
    except msgspec.ValidationError as error:
        raise BundleError(f"{file}: text: {error}; export the bundle again") from None
    graph = bundle.manifest.graphs.get(spec.graph)
    if graph is None:
        raise BundleError(
            f"{file}: graphs.{spec.graph} is missing, though text.graph names it; export the bundle again"
        )
    path, folder = bundle.path / Path(graph.file).name, bundle.path / Path(spec.tokenizer).name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != graph.sha256:
        raise BundleError(f"{path}: missing or altered, its sha256 is not that of graphs.{spec.graph}; copy it again")
    if not (folder / "tokenizer.json").is_file():
        raise BundleError(
            f"{folder / 'tokenizer.json'}: missing, though text.tokenizer names its folder; copy it again"
        )
    return spec
