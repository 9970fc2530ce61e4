"""What the recipes train on: FER+ and LFW as one weighted set of stills, and frames of videos as stills."""

import numpy as np

from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import FloatArray

from ....data.prepare import shard_share
from ....data.sets.ferplus import FerPlus, blend
from ....data.stills import Stills, balance_weights, concatenate
from ....data.videos import LabelledVideo
from ..recipe import DataConfig


def video_stills(videos: list[LabelledVideo], crop: CropSpec) -> Stills:
    """All frames of the videos as single pictures."""
    frames = [picture for video in videos for picture in video.pictures]
    names = [f"videos/{video.name}" for video in videos for _ in video.pictures]
    guided = [video.guidance for video in videos if video.guidance is not None]
    return Stills(
        frames,
        np.concatenate([video.emotions for video in videos]),
        np.concatenate([video.affect for video in videos]),
        np.full(len(frames), shard_share(crop), np.float32),
        names,
        np.concatenate(guided) if len(guided) == len(videos) else None,
    )


def training_stills(
    config: DataConfig, ferplus: FerPlus, faces: Stills | None, *, votes_share: float
) -> tuple[Stills, FloatArray]:
    """FER+ and the faces of LFW, if any, for training, and how often each picture comes in an epoch on average."""
    crowd = blend(ferplus.stills, ferplus.teacher, votes_share)
    balanced = balance_weights(crowd.emotions, config.balance)
    if faces is None:
        return crowd, balanced
    weights = [balanced, np.full(len(faces), config.lfw, np.float32)]
    return concatenate([crowd, faces]), np.concatenate(weights)
