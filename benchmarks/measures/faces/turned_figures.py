"""What is published of a face that is turned in the picture's plane: the upright one's value, none, or a wrong one."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import streamaffect
from benchmarks.measures.faces.counts import Count
from benchmarks.measures.faces.portraits import Portrait
from benchmarks.measures.faces.scenes import FPS, turned, turning
from streamaffect.config import Config
from streamaffect.faces.crop import eye_roll
from streamaffect.messages import Estimate
from streamaffect.pipeline.opening import make_face_stage
from streamaffect.runtime.bundle import Bundle
from streamaffect.types import Frame

FAR_OFF = 0.3  # valence or arousal differs by more than that from the upright picture's
ELSEWHERE = 60.0  # degrees; a line of eyes that is so much off is another one
TURN_FRAMES = 100


def turned_counts(part: str, portraits: Iterable[Portrait], angles: Sequence[int], bundle: Bundle) -> Iterator[Count]:
    """Wrong values among those that are published for pictures turned by each of the angles, by `analyze_image`."""
    outcomes: dict[int, Counter[str]] = {degrees: Counter() for degrees in angles}
    for portrait in portraits:
        upright = streamaffect.analyze_image(portrait.image, bundle=bundle)
        if len(upright) != 1 or upright[0].valence is None:
            continue
        for degrees, counted in outcomes.items():
            found = streamaffect.analyze_image(turned(portrait.image, degrees), bundle=bundle)
            counted.update([_outcome(one, upright[0]) for one in found] or ["not found"])
    for degrees, counted in outcomes.items():
        note = f"{counted['abstained']} abstained, {counted['not found']} not found"
        published = counted["right"] + counted["wrong"]
        yield Count(part, f"turned by {degrees}°, wrong values", counted["wrong"], published, note)


def _outcome(one: Estimate, upright: Estimate) -> str:
    if one.valence is None or one.arousal is None or upright.valence is None or upright.arousal is None:
        return "abstained"
    off = max(abs(one.valence - upright.valence), abs(one.arousal - upright.arousal))
    return "wrong" if off > FAR_OFF else "right"


def turning_count(part: str, portraits: Iterable[Portrait], config: Config, bundle: Bundle) -> Count:
    """Wrong: a frame of a stream in which a face turns once around in 4 s, read by eyes that are elsewhere."""
    used = wrong = seen = 0
    for seed, portrait in enumerate(portraits):
        stage = make_face_stage("scene", config, bundle)
        for number, (image, degrees) in enumerate(turning(portrait.image, TURN_FRAMES, seed)):
            time_s = number / FPS
            for face in stage.look(Frame(image, number, time_s, round(time_s * 1e9), None)).faces:
                seen += face.visible
                if face.crop is not None:
                    used += 1
                    roll = math.degrees(eye_roll(face.face.keypoints, image.shape[1], image.shape[0]))
                    wrong += abs((roll - degrees + 180) % 360 - 180) > ELSEWHERE
        stage.close()
    return Count(part, "turning once around, frames misread", wrong, used, f"{seen - used} of {seen} frames abstained")
