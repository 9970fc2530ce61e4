"""One call of everything that an engine offers, before the first real frame pays for allocation and kernel choice."""

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine


def warm_up(engine: Engine, bundle: Bundle, *, batch: int = 1) -> None:
    """Run the three graphs once; raises EngineError where one of them does not run."""
    manifest = bundle.manifest
    size, frames, clips = manifest.crop.size, manifest.clip.frames, manifest.context.clips
    try:
        engine.encode_frames(np.zeros((batch, size, size, 3), np.uint8))
        clip = engine.encode_clips(np.zeros((batch, frames, bundle.feature_dim), np.float32))
        context = np.zeros((batch, clips, bundle.clip_dim), np.float32)
        engine.run_heads(clip, context, np.ones((batch, clips), np.bool_))
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"{bundle.path}: a graph does not run in {engine.info} ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """The first line of a library's message, cut to what fits one line of ours."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
