"""A thorough look at a few frames of a stream: which faces are passed over, because they are too small or too unsure.

The detector sees a whole frame at 128 × 128 pixels, so that a face in the back row of a large picture is missed without
a word. A large frame is therefore also searched in tiles, once. And where no face is found at all, a few frames are
kept, for the question why.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import msgspec

from streamaffect.faces.boxes import cover
from streamaffect.faces.detectors.opening import open_detector
from streamaffect.faces.detectors.tiles import TiledDetector
from streamaffect.settings import FaceSettings
from streamaffect.types import Face, ImageArray, Picture

log = logging.getLogger(__name__)

LARGE_PX = 1280  # the longer side of a frame in which people can be far away
AFTER_S = 1.0
KEPT_AFTER_S = (0.0, 2.0, 10.0)
MOST_TILES = 4
BRIEF_FRAMES = 25  # a face that is found more often is followed, sooner or later, and no frame without it is kept
NOTHING = "none was seen, nor anything like one"
LOWER_SCORES = (0.4, 0.3, 0.2)
CERTAIN = 0.7  # of a face that is only found in a tile, where more is taken for a face than in the whole
ENOUGH = 0.9  # of the faces that the most tiles show
SAME = 0.3  # a face that lies this far within one that was found is the same
MOST_FACES = 200


class Survey:
    """What the detector of one stream passes over.

    name: what messages call the stream
    """

    def __init__(self, name: str, settings: FaceSettings) -> None:
        self._name = name
        self._settings = settings
        self._kept: list[ImageArray | Picture] = []
        self._first_s: float | None = None
        self._found_in = 0
        self._has_searched = False

    def note(self, picture: ImageArray | Picture, time_s: float, found: list[Face]) -> None:
        """Take a frame into account, with the faces that the detector has found in it."""
        self._first_s = time_s if self._first_s is None else self._first_s
        since_s = time_s - self._first_s
        self._found_in += bool(found)
        if self._found_in > BRIEF_FRAMES:
            self._kept.clear()
        elif not found and len(self._kept) < len(KEPT_AFTER_S) and since_s >= KEPT_AFTER_S[len(self._kept)]:
            self._kept.append(picture)
        is_due = not self._has_searched and since_s >= AFTER_S and max(picture.shape[:2]) >= LARGE_PX
        if is_due and self._settings.tiles == 1:
            self._has_searched = True
            self._tell_of_small_faces(picture, found)

    def why_none(self) -> str | None:
        """Why no face was found in the frames that were kept, for people; to be asked once, at the end.

        None where nothing like a face is in them, and some frames had one.
        """
        pictures, self._kept = self._kept, []
        why = why_none(pictures, self._settings, OF_A_STREAM)
        return None if self._found_in and why == NOTHING else why

    def _tell_of_small_faces(self, picture: ImageArray | Picture, found: list[Face]) -> None:
        tiles, small = _smaller_faces(picture, found, self._settings)
        if small:
            log.warning(
                "%s: %s too small to be found in the whole picture%s; --set faces.tiles=%d finds %s",
                self._name,
                _faces_are(len(small)),
                _size(picture),
                tiles,
                _them(small),
            )


@dataclass(frozen=True, slots=True)
class Cures:
    """What helps where no face is found, for people.

    small:  where faces are too small, with {tiles} for the `faces.tiles` that find {them}
    turned: where one is not upright, with {score} for the `faces.min_score` that finds it
    """

    small: str
    turned: str


OF_A_STREAM = Cures(
    small="--set faces.tiles={tiles} finds {them}", turned="turn the camera, or --set faces.min_score={score} finds it"
)


def why_none(pictures: Sequence[ImageArray | Picture], settings: FaceSettings, cures: Cures) -> str:
    """Why a detector with these settings finds no face in any of the pictures, for people; takes a search in each."""
    best = 0.0
    for picture in pictures:
        tiles, small = _smaller_faces(picture, [], settings)
        if small:
            helps = cures.small.format(tiles=tiles, them=_them(small))
            return f"{_faces_are(len(small))} too small for a whole picture{_size(picture)}; {helps}"
        for least in LOWER_SCORES:
            score = _best_score(picture, settings, least)
            if score >= settings.min_score:  # as it is upright, in a second look
                return f"one is in it on its side or upside down; {cures.turned.format(score=least)}"
            best = max(best, score)
    if best > 0:
        return f"what looks most like one has a score of {best:.2f}, below faces.min_score {settings.min_score:g}"
    return NOTHING


def _faces_are(count: int) -> str:
    """So many faces, as the beginning of a sentence."""
    return "1 face is" if count == 1 else f"{count} faces are"


def _them(faces: Sequence[Face]) -> str:
    return "it" if len(faces) == 1 else "them"


def _smaller_faces(picture: ImageArray | Picture, found: list[Face], settings: FaceSettings) -> tuple[int, list[Face]]:
    """How many tiles are enough to find nearly all faces that only a search in tiles finds, and these faces."""
    if settings.tiles >= MOST_TILES:
        return MOST_TILES, []
    surer = msgspec.structs.replace(settings, tiles=1, min_score=max(CERTAIN, settings.min_score))
    with closing(open_detector(surer, mode="image", max_faces=MOST_FACES)) as detector:

        def in_tiles(tiles: int) -> list[Face]:
            faces = TiledDetector(detector, tiles=tiles, max_faces=MOST_FACES).detect(picture, 0.0)
            return [face for face in faces if all(cover(face.box, known.box) < SAME for known in found)]

        most = in_tiles(MOST_TILES)
        for tiles in range(settings.tiles + 1, MOST_TILES if most else 0):
            if len(fewer := in_tiles(tiles)) >= ENOUGH * len(most):
                return tiles, fewer
    return MOST_TILES, most


def _best_score(picture: ImageArray | Picture, settings: FaceSettings, least: float) -> float:
    """Of what looks a little like a face, from a score of `least` on; 0 where nothing does."""
    lower = msgspec.structs.replace(settings, min_score=min(least, settings.min_score))
    with closing(open_detector(lower, mode="image", max_faces=MOST_FACES)) as detector:
        return max((face.score for face in detector.detect(picture, 0.0)), default=0.0)


def _size(picture: ImageArray | Picture) -> str:
    height, width = picture.shape[:2]
    return f" of {width}x{height}"
