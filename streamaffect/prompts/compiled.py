"""What prompts mean, as values and in a file: with it, a run needs no sentence encoder."""

from pathlib import Path
from typing import Literal

import msgspec

from streamaffect.errors import PromptError
from streamaffect.messages import Share

SCHEMA = 1
LEAST_CONFIDENCE = 0.3
MAKE_AGAIN = "make it again with `streamaffect prompts compile`"


class CompiledPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was looked up in the phrase bank.

    weights:    attribute → its share of the meaning
    confidence: cosine to the nearest phrase, times the share of the meaning that the stream can see
    nearest:    that phrase; empty where no word is known
    """

    name: str
    text: str
    weights: dict[str, Share]
    confidence: Share
    nearest: str

    @property
    def is_understood(self) -> bool:
        """False where a value would be a guess: none is published then."""
        return self.confidence >= LEAST_CONFIDENCE

    @property
    def in_words(self) -> str:
        """ "she is beaming: happiness 0.92, AU12 0.05 (confidence 0.78, like 'beaming with joy')"."""
        if not self.is_understood:
            near = f", nearest is {self.nearest!r}" if self.nearest else ""
            return f"{self.name}: not understood (confidence {self.confidence:.2f}{near})"
        largest = sorted(self.weights.items(), key=lambda item: -item[1])[:3]
        meaning = ", ".join(f"{name} {weight:.2f}" for name, weight in largest)
        return f"{self.name}: {meaning} (confidence {self.confidence:.2f}, like {self.nearest!r})"


class CompiledFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file of compiled prompts. bank: SHA-256 of the phrases that they were looked up in."""

    schema: Literal[1] = 1
    kind: Literal["phrase-bank"] = "phrase-bank"
    bank: str
    prompts: list[CompiledPrompt]


def read_compiled(file: Path) -> CompiledFile:
    """Raises PromptError where the file cannot be read or holds something else."""
    try:
        content = msgspec.json.decode(file.read_bytes(), type=CompiledFile)
    except OSError as error:
        raise PromptError(f"{file}: cannot be read ({error.strerror}); {MAKE_AGAIN}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PromptError(f"{file}: holds no compiled prompts ({error}); {MAKE_AGAIN}") from None
    if not content.prompts:
        raise PromptError(f"{file}: holds no prompt; {MAKE_AGAIN}")
    return content


def packed(content: CompiledFile) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
