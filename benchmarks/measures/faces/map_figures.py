"""How faithful the maps of lenses are: on real faces, against real occlusion of the very squares that the model saw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from streamaffect import Estimate
from streamaffect.affect.occlusion import Occluder, top_cells
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.video.reader import open_video
from streamaffect.text.regions import CELLS, SIDE
from streamaffect.types import FloatArray, ImageArray, Square, pixels
from train.methods.lens.occlusion.scores import correlations

SAME_TIME_S = 0.001


@dataclass(frozen=True, slots=True)
class ExplainedFace:
    """The square that the model saw (S, S, 3) uint8 RGB, and what the lenses said of it, (8, 8) each."""

    crop: ImageArray
    maps: Mapping[str, FloatArray]


def explained(image: ImageArray, estimate: Estimate, lenses: Sequence[str], size: int) -> ExplainedFace | None:
    """What an estimate says of a picture (H, W, 3) uint8 BGR; None where not all of the lenses have spoken."""
    said = {name: estimate.outputs.get(name) for name in lenses}
    if not isinstance(estimate.square, Square) or not all(said.values()):
        return None
    height, width = image.shape[:2]
    corners = (np.array(estimate.square) * (width, height) - 0.5).astype(np.float32)
    target = np.array([(0, 0), (size, 0), (0, size)], np.float32) - 0.5
    # Four looks a pixel: a square that is larger than the crop would lose detail to bilinear sampling otherwise.
    fine = max(1, round(float(np.linalg.norm(corners[1] - corners[0])) / size))
    turned = cv2.warpAffine(
        image,
        cv2.getAffineTransform(corners, (target + 0.5) * fine - 0.5),
        (size * fine, size * fine),
        borderMode=cv2.BORDER_REPLICATE,
    )
    crop = cv2.resize(turned, (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]
    maps = {
        name: np.array([values[cell] for cell in CELLS], np.float32).reshape(SIDE, SIDE)
        for name, values in said.items()
        if values
    }
    return ExplainedFace(np.ascontiguousarray(crop, np.uint8), maps)


def frames_at(video: Path, times_s: Iterable[float]) -> dict[float, ImageArray]:
    """The pictures of a video at these times of its own."""
    wanted = sorted(times_s)
    found: dict[float, ImageArray] = {}
    reader = open_video(video)
    try:
        while wanted and (item := reader.next()) is not None:
            time_s, image = item
            while wanted and time_s > wanted[0] + SAME_TIME_S:
                wanted.pop(0)
            if wanted and abs(time_s - wanted[0]) <= SAME_TIME_S:
                found[wanted.pop(0)] = pixels(image)
    finally:
        reader.close()
    return found


def map_figures(bundle: Bundle, faces: Sequence[ExplainedFace]) -> dict[str, dict[str, float]]:
    """By lens: agreement with real occlusion, and how far the answer falls where the map's top quarter is hidden.

    "real" is real occlusion itself; "usual" its mean over these faces, which knows nothing of the one at hand.
    """
    if not faces:
        return {}
    occluder = Occluder(bundle, OnnxRuntimeEngine(bundle))
    looks = [occluder.look(face.crop) for face in faces]
    real = np.stack([look.drop for look in looks])
    emotional = np.array([look.emotion > 0 for look in looks])
    maps = {name: np.stack([face.maps[name] for face in faces]) for name in faces[0].maps}
    maps |= {"real": real, "usual": np.broadcast_to(real.mean(axis=0), real.shape)}
    covers = [[top_cells(one[row]) for one in maps.values()] for row in range(len(faces))]
    drops = np.stack([occluder.drops(face.crop, cover) for face, cover in zip(faces, covers, strict=True)])
    return {
        name: {
            "r with real occlusion": _mean(correlations(one, real)),
            "r with real occlusion, not neutral": _mean(correlations(one, real)[emotional]),
            "drop where the top quarter is hidden": _mean(drops[:, i]),
            "drop where the top quarter is hidden, not neutral": _mean(drops[emotional, i]),
        }
        for i, (name, one) in enumerate(maps.items())
    }


def _mean(values: FloatArray) -> float:
    return round(float(values.mean()), 4) if len(values) else float("nan")
