"""[faces] and [tracker]: how faces are found, and how they are followed."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Positive = Annotated[float, Meta(gt=0)]


class FaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[faces]: the detector.

    detector:  "mediapipe", or "litert": the same network without MediaPipe
    min_score: detections below this confidence are dropped
    tiles:     1 looks at the whole frame; 2 and more also search it in tiles, for small faces in large frames
    """

    detector: Literal["mediapipe", "litert"] = "mediapipe"
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.5
    tiles: Annotated[int, Meta(ge=1, le=4)] = 1


class TrackerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[tracker]: how the tracker believes, keeps and smooths.

    confirm_hits, confirm_s: a candidate becomes a track after so many detections and so many seconds, both
    keep_s:         a track that is hidden for longer is lost; the default is one clip
    max_faces:      so many tracks at once: the oldest stay, and of new faces the largest come first
    min_cutoff_hz:  smoothing at rest, lower is smoother
    beta:           how fast smoothing gives way to motion, in Hz per face size per second
    """

    confirm_hits: Annotated[int, Meta(ge=1)] = 3
    confirm_s: Annotated[float, Meta(ge=0)] = 0.12
    keep_s: Annotated[float, Meta(ge=0)] = 0.64
    max_faces: Annotated[int, Meta(ge=1)] = 8
    min_cutoff_hz: Positive = 1.0
    beta: Annotated[float, Meta(ge=0)] = 8.0
