"""The text classifier of a bundle at work: texts in, probabilities of its classes out, on this machine's CPU.

A language model takes longer than a frame. Offline it answers where it is asked, so that a file gives the same
recording whatever the load; live a thread of its own answers when it can, and of what waits the newest text of each
face counts.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from importlib.util import find_spec

import numpy as np

from streamaffect.errors import ConfigError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.onnxruntime import open_session
from streamaffect.runtime.warm_up import first_line
from streamaffect.text.spec import read_text_spec
from streamaffect.text.textualise import TextualiserConfig

log = logging.getLogger(__name__)

JOIN_S = 2.0
Scores = Mapping[str, float]
Classify = Callable[[str], Scores]


class TextClassifier:
    """A language model with classes.

    Raises ConfigError where the bundle has none or `tokenizers` is missing, BundleError where its files are damaged,
    EngineError where the graph does not open.
    """

    def __init__(self, bundle: Bundle) -> None:
        spec = read_text_spec(bundle)
        if spec is None:
            raise ConfigError(
                f"--llm {bundle.path}: {bundle.manifest.label} has no text classifier; "
                "`python -m train fit --config configs/train/compound_text/meld.toml` makes one"
            )
        if find_spec("tokenizers") is None:
            raise ConfigError(f"--llm {bundle.path}: needs tokenizers; pip install 'streamaffect[llm]'")
        from tokenizers import Tokenizer

        self.textualiser: TextualiserConfig = spec.textualiser
        self._classes = spec.classes
        self._session = open_session(bundle, spec.graph, {}, "CPU", 1)
        file = bundle.path / spec.tokenizer / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # what the library raises has no type of its own
            raise ConfigError(f"{file}: no tokenizer ({first_line(error)}); export the bundle again") from None
        self._tokenizer.enable_truncation(spec.max_tokens)

    def classify(self, text: str) -> dict[str, float]:
        """The probability of each class."""
        tokens = self._tokenizer.encode(text)
        inputs = {
            "input_ids": np.array([tokens.ids], np.int64),
            "attention_mask": np.array([tokens.attention_mask], np.int64),
        }
        (found,) = self._session.run(None, inputs)
        return {name: float(share) for name, share in zip(self._classes, found[0], strict=True)}


class Answers:
    """What a classifier last said of each face. A failure is said once, and ends it; the stream goes on.

    waits: answer where it is asked, in place of a thread
    """

    def __init__(self, classify: Classify, *, waits: bool) -> None:
        self._classify = classify
        self._waits = waits
        self._changed = threading.Condition()
        self._asked: dict[Hashable, str] = {}
        self._said: dict[Hashable, Scores] = {}
        self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self, key: Hashable, text: str) -> None:
        """Have a text of this face classified, in place of one that still waits."""
        if self._ended:
            return
        if self._waits:
            self._answer(key, text)
            return
        with self._changed:
            self._asked[key] = text
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="text classifier", daemon=True)
            self._thread.start()

    def newest(self, key: Hashable) -> Scores | None:
        """What was last said of this face; None until then."""
        return self._said.get(key)

    def forget(self, key: Hashable) -> None:
        """Drop a face that is lost."""
        with self._changed:
            self._asked.pop(key, None)
            self._said.pop(key, None)

    def close(self) -> None:
        """End the thread; one that computes is waited for shortly."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._asked)
                if self._ended:
                    return
                key = next(iter(self._asked))
                text = self._asked.pop(key)
            self._answer(key, text)

    def _answer(self, key: Hashable, text: str) -> None:
        try:
            self._said[key] = self._classify(text)
        except Exception as error:
            self._ended = True
            log.warning("the text classifier has failed and is left out from now on: %s", first_line(error))
