"""Prompts by EmoCLIP itself: a bundle of CLIP's vision tower and a temporal transformer, with CLIP's text tower beside.

The prompts are its classes: the probability of each is the softmax over the scaled cosines between the clip's embedding
and the sentences' (Foteinopoulou and Patras 2024), so that there must be two of them at least.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from streamaffect.errors import BundleError, PromptError
from streamaffect.lenses.manifest import CLIP
from streamaffect.lenses.view import Reading, View
from streamaffect.prompts.reading import Prompt
from streamaffect.runtime.bundle import MANIFEST, Bundle
from streamaffect.runtime.onnx_file import read_graph
from streamaffect.runtime.onnxruntime import session_options
from streamaffect.runtime.warm_up import first_line
from streamaffect.types import FloatArray

TEXT_ENCODER = "text_encoder"  # role of the graph: input_ids, attention_mask int64 (M, L) → embeddings float32 (M, C)
KEY = "sentence_encoder"  # of manifest.json
LEAST_PROMPTS = 2


class SentenceEncoderSpec(msgspec.Struct, frozen=True):
    """The key `sentence_encoder` of a bundle's manifest.

    tokenizer: file within the bundle, in the format of `tokenizers`; longest: tokens, further ones are cut
    scale:     factor on the cosines
    """

    tokenizer: str
    longest: int
    scale: float


def has_text_encoder(bundle: Bundle) -> bool:
    """True for a bundle that can embed sentences itself."""
    return TEXT_ENCODER in bundle.manifest.graphs


class ClipReader:
    """A `PromptReader`.

    Raises BundleError where the text encoder is missing or altered, PromptError without the package `tokenizers`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._spec = _read_spec(bundle)
        read_graph(bundle.path, MANIFEST, TEXT_ENCODER, bundle.manifest.graphs[TEXT_ENCODER])
        self._tokenizer = _open_tokenizer(bundle.path / Path(self._spec.tokenizer).name)
        self._tokenizer.enable_truncation(self._spec.longest)
        self._session = _open(bundle)
        self.label = f"{bundle.manifest.label} {bundle.sha256[:12]}"
        self.inputs: Sequence[str] = (CLIP,)

    def read(self, prompts: Sequence[Prompt]) -> "ClipPrompts":
        """Raises PromptError for fewer than two."""
        if len(prompts) < LEAST_PROMPTS:
            raise PromptError(
                f"{len(prompts)} prompt is given, and EmoCLIP compares prompts with each other; give two or more, e.g. "
                f"{prompts[0].text}; a neutral face"
            )
        return ClipPrompts(prompts, np.stack([self._embedding(one.text) for one in prompts]), self._spec.scale)

    def _embedding(self, text: str) -> FloatArray:
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        found: FloatArray = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        return found / np.linalg.norm(found)


class ClipPrompts:
    """`Understood` prompts. embeddings: (P, C) of length 1; scale: factor on the cosines."""

    def __init__(self, prompts: Sequence[Prompt], embeddings: FloatArray, scale: float) -> None:
        self._prompts = list(prompts)
        self._embeddings = embeddings
        self._scale = scale

    @property
    def outputs(self) -> list[dict[str, object]]:
        """Each prompt; what CLIP makes of a sentence has no confidence."""
        return [_output(one) for one in self._prompts]

    @property
    def in_words(self) -> list[str]:
        """The sentences."""
        return [one.name if one.name == one.text else f"{one.name}: {one.text}" for one in self._prompts]

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        """Probabilities that sum to 1; None where the clip's embedding is not finite."""
        return [self._reading(np.asarray(view.inputs[CLIP], np.float32)) for view in views]

    def _reading(self, clip: FloatArray) -> Reading | None:
        logits = self._scale * (self._embeddings @ clip) / max(float(np.linalg.norm(clip)), 1e-12)
        if not np.isfinite(logits).all():
            return None
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        return Reading({one.name: float(share) for one, share in zip(self._prompts, shares, strict=True)})


def _output(prompt: Prompt) -> dict[str, object]:
    sentence: dict[str, object] = {} if prompt.text == prompt.name else {"text": prompt.text}
    return {"name": prompt.name, "range": (0.0, 1.0), "unit": "probability"} | sentence


def _read_spec(bundle: Bundle) -> SentenceEncoderSpec:
    file = bundle.path / MANIFEST
    content: Any = msgspec.json.decode(file.read_bytes())
    try:
        return msgspec.convert(content.get(KEY), SentenceEncoderSpec)
    except msgspec.ValidationError as error:
        raise BundleError(f"{file}: {KEY}: {error}, though there is a graph {TEXT_ENCODER}; export it again") from None


def _open_tokenizer(file: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise PromptError("prompts: CLIP's tokenizer needs a package; pip install 'streamaffect[clip]'") from None
    if not file.is_file():
        raise BundleError(f"{file}: missing, though {KEY} names it; copy or export the bundle again")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:
        raise BundleError(f"{file}: is no tokenizer ({first_line(error)}); export the bundle again") from error


def _open(bundle: Bundle) -> Any:
    import onnxruntime

    file = bundle.graph_path(TEXT_ENCODER)
    try:
        return onnxruntime.InferenceSession(str(file), session_options(1), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BundleError(f"{file}: does not run ({first_line(error)}); export the bundle again") from error
