"""Where somebody speaks: Silero's voice activity detector (MIT), which ships with streamaffect.

It takes chunks of 32 ms, each behind the last 4 ms of the one before, and says how likely there is speech in them.
"""

from pathlib import Path

import numpy as np

from streamaffect.checked_file import read_checked
from streamaffect.errors import EngineError
from streamaffect.types import SOUND_RATE_HZ, FloatArray

WEIGHTS = Path(__file__).parents[1] / "assets" / "silero_vad_16k_sequence.onnx"
SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
CHUNK, BEFORE = 512, 64  # samples
CHUNK_S = CHUNK / SOUND_RATE_HZ
STATE = (1, 1, 128)
SPEECH = 0.5  # probability from which on a chunk counts as speech; Silero's own default


class VoiceActivity:
    """The detector, loaded. Any thread may ask.

    Raises EngineError where the weights are missing or not those that are pinned.
    """

    def __init__(self, weights: Path = WEIGHTS, sha256: str = SHA256) -> None:
        from streamaffect.voice.session import open_session

        remedy = "install streamaffect again"
        model = read_checked(weights, sha256, noted_by="streamaffect", remedy=remedy, refusal=EngineError)
        self._session = open_session(model, str(weights))

    def probabilities(self, samples: FloatArray) -> FloatArray:
        """(N,) at `SOUND_RATE_HZ` → of each whole chunk, (N // 512,) float32 in [0, 1]; nothing is known of before."""
        count = len(samples) // CHUNK
        if count == 0:
            return np.zeros(0, np.float32)
        padded = np.concatenate([np.zeros(BEFORE, np.float32), samples[: count * CHUNK]])
        chunks = np.lib.stride_tricks.sliding_window_view(padded, BEFORE + CHUNK)[::CHUNK]
        silence = np.zeros(STATE, np.float32)
        inputs = {"input": np.ascontiguousarray(chunks, np.float32), "h": silence, "c": silence}
        found: FloatArray = self._session.run(["speech_probs"], inputs)[0]
        return found

    def share(self, samples: FloatArray) -> float:
        """Of a window (N,), the share in which somebody speaks, in [0, 1]."""
        chunks = self.probabilities(samples)
        return float((chunks >= SPEECH).mean()) if len(chunks) else 0.0
