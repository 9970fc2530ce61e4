"""Stills: the estimator on a track that has just begun, whose clip repeats the one picture that there is.

A clip of a stream averages over its frames. A still has one frame; several looks at it take the part of the others.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streamaffect.affect.assemble import Seen, make_estimate
from streamaffect.affect.calibration import is_finite
from streamaffect.affect.estimate import Estimator, Observation, Prediction
from streamaffect.affect.occlusion import OCCLUSION, Occluder
from streamaffect.faces.crop import crop_box, crop_face
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.faces.detectors.upright import is_left_lying
from streamaffect.faces.looks import looks
from streamaffect.faces.quality import measure
from streamaffect.lenses.view import FacePicture, LensPart, Reading
from streamaffect.messages import Estimate, Status
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.text.regions import CELLS
from streamaffect.types import Box, Face, ImageArray

STILL_STREAM = "image"


class StillAnalyser:
    """A loaded engine and a detector for pictures that have nothing to do with each other.

    empty: pictures so far in which there was no face
    """

    def __init__(self, bundle: Bundle, engine: Engine, detector: FaceDetector, lenses: Sequence[LensPart] = ()) -> None:
        self.bundle = bundle
        self._engine = engine
        self._detector = detector
        self._lenses = lenses
        self.empty = 0
        self._lock = threading.Lock()  # engines and detectors serve one thread at a time

    def estimate(
        self, image: ImageArray, boxes: Sequence[Box] | None, *, occlusion: str | None = None
    ) -> list[Estimate]:
        """One estimate per face of a picture (H, W, 3) uint8 BGR, in the order of the detector or of the boxes.

        occlusion: the head whose answer is taken apart by hiding each face bit by bit, as outputs["occlusion"]
        """
        spec = self.bundle.manifest.crop
        with self._lock:
            if boxes is None:
                faces = self._detector.detect(image, 0.0)
                crops = [crop_face(image, face, spec) for face in faces]
            else:
                faces = [Face(box, score=1.0) for box in boxes]
                crops = [crop_box(image, face.box, spec) for face in faces]
            if not crops:
                self.empty += 1
                return []
            predictions = self._predict(np.stack(crops), [FacePicture(image, face) for face in faces])
            if occlusion is not None:
                predictions = [self._hidden(*pair, occlusion) for pair in zip(predictions, crops, strict=True)]
        return [
            self._to_estimate(i, image, face, crop, prediction, by_hand=boxes is not None)
            for i, (face, crop, prediction) in enumerate(zip(faces, crops, predictions, strict=True))
        ]

    def _predict(self, crops: ImageArray, pictures: Sequence[FacePicture]) -> list[Prediction]:
        """The mean over the looks at each of the crops (N, S, S, 3)."""
        first, *others = looks(crops)  # lenses see the picture as it is: what they say has places, and sides
        seen = [
            Observation((STILL_STREAM, i), 0.0, crop, picture)
            for i, (crop, picture) in enumerate(zip(first, pictures, strict=True))
        ]
        answers = [self._look(seen, self._lenses)]
        answers += [
            self._look([Observation(one.key, 0.0, crop) for one, crop in zip(seen, view, strict=True)], ())
            for view in others
        ]
        return [_mean(answers_of_one) for answers_of_one in zip(*answers, strict=True)]

    def _look(self, observations: Sequence[Observation], lenses: Sequence[LensPart]) -> list[Prediction]:
        """Every face is a new track: its clip is filled with the one frame, its context with the one clip."""
        return Estimator(self.bundle, self._engine, lenses).step(observations).predictions

    def _hidden(self, prediction: Prediction, crop: ImageArray, head: str) -> Prediction:
        """With a reading of where hiding the crop (S, S, 3) takes the answer away."""
        drop = Occluder(self.bundle, self._engine, head).look(crop).drop
        reading = Reading(dict(zip(CELLS, drop.ravel().tolist(), strict=True)), is_map=True)
        return replace(prediction, lenses={**prediction.lenses, OCCLUSION: reading})

    def _to_estimate(
        self, number: int, image: ImageArray, face: Face, crop: ImageArray, prediction: Prediction, *, by_hand: bool
    ) -> Estimate:
        manifest = self.bundle.manifest
        quality = measure(crop, face, image.shape, manifest.crop).overall
        is_poor = manifest.abstain is not None and quality < manifest.abstain.quality
        is_poor = is_poor or is_left_lying(face, image, manifest.crop)
        status: Status = "abstain" if is_poor or not is_finite(prediction.heads) else "ok"
        seen = Seen(
            STILL_STREAM,
            number,
            face,
            quality,
            t_capture_ns=0,
            pts_s=None,
            live=False,
            shape=image.shape,
            by_hand=by_hand,
        )
        return make_estimate(manifest, seen, prediction, seq=number, status=status, of="still")


def _mean(predictions: Sequence[Prediction]) -> Prediction:
    """The mean of the heads' rows. Nothing was left out of a clip that is meant to repeat one frame."""
    heads = {name: np.mean([each.heads[name] for each in predictions], axis=0) for name in predictions[0].heads}
    return replace(predictions[0], heads=heads, coverage=1.0)
