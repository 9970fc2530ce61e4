"""Whose voice a stream hears: that of the only face in view, unless the user says whose."""

import threading
from collections.abc import Sequence

from streamaffect.errors import ControlError
from streamaffect.settings import Whose
from streamaffect.types import Face, Sighting

STAYS = 0.8  # a face of this share of the largest one's area keeps the voice: people lean back


class Speaker:
    """One stream's. The thread that finds faces asks for each frame; any thread may say whose it is from now on.

    whose: "only" face in view, the "largest", "nobody", or the number of a track, which need not be there yet
    """

    def __init__(self, whose: Whose = "only") -> None:
        self._lock = threading.Lock()
        self._whose: Whose = whose
        self._track: int | None = None
        self._in_view: tuple[int, ...] = ()

    def give(self, whose: Whose) -> None:
        """From the next frame on it is this one's. Raises ControlError where that face is not in view."""
        with self._lock:
            if isinstance(whose, int) and whose not in self._in_view:
                there = ", ".join(map(str, self._in_view)) or "nobody"
                raise ControlError(f"face {whose} is not in view; in view: {there}")
            self._whose, self._track = whose, None

    def track(self, faces: Sequence[Sighting]) -> int | None:
        """The track whose voice is heard beside these faces, hidden ones among them; None where it is nobody's."""
        with self._lock:
            self._in_view = tuple(one.track for one in faces)
            self._track = self._chosen(faces)
            return self._track

    def _chosen(self, faces: Sequence[Sighting]) -> int | None:
        match self._whose:
            case "only":
                return faces[0].track if len(faces) == 1 else None
            case "largest":
                return self._largest(faces)
            case "nobody":
                return None
            case track:
                return track if track in self._in_view else None

    def _largest(self, faces: Sequence[Sighting]) -> int | None:
        if not faces:
            return None
        areas = {one.track: _area(one.face) for one in faces}
        largest = max(areas, key=areas.__getitem__)
        if self._track in areas and areas[self._track] >= STAYS * areas[largest]:
            return self._track
        return largest


def _area(face: Face) -> float:
    return face.box.w * face.box.h
