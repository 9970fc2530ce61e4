"""[faces]: how faces are found."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class FaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[faces]: the detector.

    detector:  "mediapipe", or "litert": the same network without MediaPipe
    min_score: detections below this confidence are dropped
    tiles:     1 looks at the whole frame; 2 and more also search it in tiles, for small faces in large frames
    """

    detector: Literal["mediapipe", "litert"] = "mediapipe"
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.5
    tiles: Annotated[int, Meta(ge=1, le=4)] = 1
