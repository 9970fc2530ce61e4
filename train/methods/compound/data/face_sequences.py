"""Features of the face in labelled clips, step by step, as the stream would compute them with a bundle.

The video goes through the stream's own face stage, the crops through the bundle's frame encoder, and the features are
taken at a fixed period: what a clip of the stream holds, for the whole of the video.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamaffect.config import load_config
from streamaffect.errors import SourceEndedError, SourceError
from streamaffect.pipeline.opening import open_streams
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray

from ....data.records import ClipRecord


def face_sequences(
    records: Sequence[ClipRecord], bundle: Bundle, period_s: float, on_done: Callable[[str, str], None]
) -> dict[str, Tensor]:
    """Key of the clip → (T, D) float32, a row each `period_s` seconds, of the face that is seen most often in it.

    A moment without a face has the features of the nearest one. Clips without any face, and those of a video that
    cannot be read, are left out. on_done: gets the name of each video and its fate.
    """
    engine = OnnxRuntimeEngine(bundle)
    of_video: dict[Path, list[ClipRecord]] = defaultdict(list)
    for record in records:
        assert isinstance(record.source, Path)
        of_video[record.source].append(record)
    found: dict[str, Tensor] = {}
    for video, clips in of_video.items():
        try:
            tracks = _tracks(video, bundle, engine)
        except SourceError as error:
            on_done(video.name, f"skipped: {error}")
            continue
        sequences = {clip.key: _sequence(tracks, clip, period_s) for clip in clips}
        seen = {key: sequence for key, sequence in sequences.items() if sequence is not None}
        found |= seen
        on_done(video.name, f"{len(seen)} of {len(clips)} clips with a face")
    return found


def _tracks(video: Path, bundle: Bundle, engine: Engine) -> dict[int, tuple[np.ndarray, FloatArray]]:
    """By track: when it was seen, (M,) seconds, and its features (M, D)."""
    times: dict[int, list[float]] = defaultdict(list)
    features: dict[int, list[FloatArray]] = defaultdict(list)
    (stream,) = open_streams([str(video)], load_config(), bundle)
    try:
        while True:
            frame = stream.source.read()
            for sighting in stream.faces.look(frame).faces:
                if sighting.crop is not None:
                    times[sighting.track].append(frame.time_s)
                    features[sighting.track].append(engine.encode_frames(sighting.crop[None])[0])
    except SourceEndedError:
        pass
    finally:
        stream.close()
    return {track: (np.array(times[track]), np.stack(features[track])) for track in times}


def _sequence(
    tracks: dict[int, tuple[np.ndarray, FloatArray]], clip: ClipRecord, period_s: float
) -> Tensor | None:  # fmt: skip
    end_s = np.inf if clip.end_s is None else clip.end_s
    within = {track: (times >= clip.start_s) & (times < end_s) for track, (times, _) in tracks.items()}
    main = max(within, key=lambda track: int(within[track].sum()), default=None)
    if main is None or not within[main].any():
        return None
    times, features = (part[within[main]] for part in tracks[main])
    grid = np.arange(times[0], times[-1] + period_s / 2, period_s)
    nearest = np.abs(times[None, :] - grid[:, None]).argmin(axis=1)
    return torch.from_numpy(np.ascontiguousarray(features[nearest], np.float32))
