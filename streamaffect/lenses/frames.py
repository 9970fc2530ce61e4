"""What lenses read of crops, from the engine that runs anyway, or from a second look.

An engine whose frame encoder is at hand gives its map in the same call. One that was compiled without it, or keeps its
features in a GPU's memory, does not: then the bundle's own graph looks at the crops once more, on the CPU.
"""

from collections.abc import Callable, Collection

from streamaffect.errors import EngineError, LensError
from streamaffect.lenses.manifest import FEATURES, MAP
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import MapEngine, RowEngine, StreamEngine
from streamaffect.runtime.manifest import FRAME_ENCODER
from streamaffect.runtime.onnxruntime import open_session
from streamaffect.types import FloatArray, ImageArray, VectorArray

FrameInputs = dict[str, FloatArray]
Encode = Callable[[ImageArray], tuple[VectorArray, FrameInputs]]


def frame_encoding(bundle: Bundle, engine: StreamEngine, inputs: Collection[str]) -> Encode:
    """What encodes crops (N, S, S, 3): the engine's own features, and beside them `inputs`, each of N rows.

    inputs: all that lenses read; of it "features" (N, D) and "map" (N, C, H, W) are known of a frame

    Raises LensError where the graph that looks once more does not open.
    """
    wanted = [name for name in (FEATURES, MAP) if name in inputs]
    if not wanted:
        return lambda crops: (engine.encode_frames(crops), {})
    if MAP not in wanted and not isinstance(engine, RowEngine):
        return lambda crops: _features_of(engine.encode_frames(crops))
    if isinstance(engine, MapEngine) and engine.gives_map:
        return lambda crops: _both_of(*engine.encode_frames_and_map(crops))
    try:
        session = open_session(bundle, FRAME_ENCODER, {}, "CPU", 1)
    except EngineError as error:
        raise LensError(str(error)) from error

    def look_again(crops: ImageArray) -> tuple[VectorArray, FrameInputs]:
        found = session.run(wanted, {"crops": crops})
        return engine.encode_frames(crops), dict(zip(wanted, found, strict=True))

    return look_again


def _features_of(features: FloatArray) -> tuple[VectorArray, FrameInputs]:
    return features, {FEATURES: features}


def _both_of(features: FloatArray, maps: FloatArray) -> tuple[VectorArray, FrameInputs]:
    return features, {FEATURES: features, MAP: maps}
