"""From detections in single frames to faces with stable ids, smoothed boxes and short occlusions bridged.

A detection starts a candidate. A candidate that is found again often and long enough becomes a track and gets its id.
A track that is not found is hidden, and moves on at its last speed so that it meets its face where that comes out
again; hidden for too long, it is lost, and its id is never used again. What slowly covers a face pushes its box aside
before it hides it, so that a hidden face is also expected where it was a moment earlier. Everything depends on time,
not on frame rate.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from streamaffect.faces.boxes import iou, suppress
from streamaffect.faces.one_euro import OneEuroFilter, Vector
from streamaffect.settings import TrackerSettings
from streamaffect.types import Box, Face, TrackedFace

MAX_COVER = 0.7  # two detections of which the smaller lies this far within the other show one face
MAX_SHIFT = 1.0  # a face moves less than its own size away from where it is expected
MAX_GROWTH = 2.0  # and changes its size by less than this factor
HOME_S = 0.4  # a face that gets covered was there, so long before it is seen for the last time,
HOME_SHIFT = 0.5  # and comes out again within so much of its size
SLOWEST_FRAME_S = 2.0  # frames up to this far apart follow each other; after a longer silence all faces are new


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame changed.

    tracks:   all tracks, hidden ones too, the oldest first
    born:     ids reported for the first time in this frame
    lost:     ids that will never be reported again
    left_out: faces in view that would be tracks, if there were room
    """

    tracks: list[TrackedFace]
    born: list[int]
    lost: list[int]
    left_out: int = 0


class Tracker:
    """Follows the faces of one stream. Deterministic: the same detections give the same tracks.

    first_id: the id of the first track
    """

    def __init__(self, settings: TrackerSettings | None = None, *, first_id: int = 0) -> None:
        self._settings = settings or TrackerSettings()
        self._followed: list[_Followed] = []
        self._next_id = first_id
        self._time_s: float | None = None
        self._aside: list[_Followed] = []
        self._lost: list[int] = []
        self._kept: int | None = None
        self._kept_s = 0.0

    @property
    def tracks(self) -> list[int]:
        """The ids of all tracks, hidden ones too."""
        return sorted(followed.track for followed in self._all if followed.track is not None)

    @property
    def _all(self) -> "list[_Followed]":
        return [*self._aside, *self._followed]

    def retune(self, settings: TrackerSettings) -> None:
        """Follow by other settings from the next frame on; smoothing changes for faces that come from then on."""
        self._settings = settings

    def successor(self) -> "Tracker":
        """A tracker that knows no face yet, and goes on with the ids."""
        return Tracker(self._settings, first_id=self._next_id)

    def set_aside(self) -> None:
        """Hide all tracks until it is known whether the faces of the next frames are theirs; none begins until then."""
        if not self._aside:
            self._aside, self._followed = [one for one in self._followed if one.track is not None], []

    def take_back(self) -> None:
        """Go on with the tracks that were set aside."""
        if self._aside:
            self._aside, self._followed = [], self._aside

    def start_anew(self) -> None:
        """Let no face be one of those that were followed: all tracks are lost. What was seen since they were set aside
        begins new ones.
        """
        self._lost += self.tracks
        self._aside, self._followed = [], self._followed if self._aside else []

    def update(self, faces: list[Face], time_s: float, *, keep: int | None = None, keep_s: float = 0.0) -> TrackUpdate:
        """Take the detections of the frame at `time_s`, in any order; a frame without faces counts too.

        keep: a track that is lost only after `keep_s` without its face, if that is longer than for the others

        Raises:
            ValueError: `time_s` is not later than that of the previous frame.
        """
        if self._time_s is not None and not time_s > self._time_s:
            raise ValueError(f"frames must come in the order of time: {time_s:.6f} s follows {self._time_s:.6f} s")
        self._time_s = time_s
        self._kept, self._kept_s = keep, keep_s
        lost, self._lost = [*self._lost, *self._drop_expired(time_s)], []
        faces = suppress(faces, MAX_COVER)
        pairs = _match(self._followed, faces, time_s)
        for row, followed in enumerate(self._followed):
            if row in pairs:
                followed.see(faces[pairs[row]], time_s)
            else:
                followed.missed += 1
        for followed in self._aside:
            followed.missed += 1
        taken = set(pairs.values())
        new = [face for column, face in enumerate(faces) if column not in taken]
        self._followed += [_Followed(face, time_s, self._settings) for face in new]
        lost += self._drop_expired(time_s)
        born, left_out = self._confirm(time_s)
        tracks = [
            TrackedFace(followed.track, followed.face, followed.missed == 0)
            for followed in self._all
            if followed.track is not None
        ]
        return TrackUpdate(sorted(tracks, key=lambda tracked: tracked.track), born, sorted(lost), left_out)

    def _drop_expired(self, time_s: float) -> list[int]:
        """Forget what has been hidden for too long; the ids of tracks among it."""
        expired = [followed for followed in self._all if self._has_expired(followed, time_s)]
        self._followed = [followed for followed in self._followed if followed not in expired]
        self._aside = [followed for followed in self._aside if followed not in expired]
        return [followed.track for followed in expired if followed.track is not None]

    def _has_expired(self, followed: "_Followed", time_s: float) -> bool:
        limit_s = self._settings.confirm_s if followed.track is None else self._settings.keep_s
        if followed.track is not None and followed.track == self._kept:
            limit_s = max(limit_s, self._kept_s)
        if followed.missed == 0:
            limit_s = max(limit_s, SLOWEST_FRAME_S)
        return time_s - followed.seen_s > limit_s

    def _confirm(self, time_s: float) -> tuple[list[int], int]:
        """Give ids to candidates that have been seen often and long enough, as long as there is room.

        Returns the new ids, and for how many there was no room.
        """
        settings = self._settings
        if self._aside:
            return [], 0
        room = settings.max_faces - sum(followed.track is not None for followed in self._followed)
        ready = [
            followed
            for followed in self._followed
            if followed.track is None
            and followed.missed == 0
            and followed.hits >= settings.confirm_hits
            and time_s - followed.born_s >= settings.confirm_s
        ]
        ready.sort(key=lambda followed: followed.face.box.w * followed.face.box.h, reverse=True)
        born = []
        for followed in ready[:room]:
            followed.track = self._next_id
            born.append(self._next_id)
            self._next_id += 1
        return born, len(ready) - len(born)


class _Followed:
    """A candidate, or a track once it has an id."""

    __slots__ = (
        "_centre",
        "_filter",
        "_lately",
        "_settings",
        "_size",
        "born_s",
        "face",
        "hits",
        "missed",
        "seen_s",
        "track",
    )

    def __init__(self, face: Face, time_s: float, settings: TrackerSettings) -> None:
        self.track: int | None = None
        self.born_s = time_s
        self.hits = 0
        self.missed = 0
        self._settings = settings
        self._size = 0
        self._lately: deque[tuple[float, Box]] = deque()
        self.see(face, time_s)

    def see(self, face: Face, time_s: float) -> None:
        """Take the detection that belongs to it."""
        box = face.box
        if self.missed and _shift(self.expected(time_s), box) >= MAX_SHIFT:
            self._size = 0  # it was found at home: what pushed its box aside says nothing of how it moves
        centre = (box.x + box.w / 2, box.y + box.h / 2)
        points = np.empty(0) if face.keypoints is None else face.keypoints.astype(np.float64).ravel()
        value = np.concatenate(((*centre, box.w, box.h), points))
        if value.size != self._size:
            self._size = value.size
            self._filter = OneEuroFilter(
                min_cutoff_hz=self._settings.min_cutoff_hz, beta=self._settings.beta, speed_cutoff_hz=1.0
            )
        scale = np.array((max(box.w, 1e-6), max(box.h, 1e-6)) * (value.size // 2))
        self.face = _to_face(self._filter(value, time_s, scale), face)
        self._centre = centre
        self.seen_s = time_s
        self.hits += 1
        self.missed = 0
        self._lately.append((time_s, self.face.box))
        while len(self._lately) > 1 and self._lately[1][0] <= time_s - HOME_S:
            self._lately.popleft()

    def is_home_at(self, found: Box) -> bool:
        """Whether it is a hidden track that was there before something may have begun to cover it."""
        return self.track is not None and self.missed > 0 and _shift(self._lately[0][1], found) < HOME_SHIFT

    def expected(self, time_s: float) -> Box:
        """Where the face should be at `time_s`, if it keeps its speed; nobody moves on so for long."""
        ahead_s = time_s - self.seen_s
        if self.missed:
            ahead_s = min(ahead_s, self._settings.keep_s)
        x = self._centre[0] + float(self._filter.speed[0]) * ahead_s
        y = self._centre[1] + float(self._filter.speed[1]) * ahead_s
        box = self.face.box
        return Box(x - box.w / 2, y - box.h / 2, box.w, box.h)


def _to_face(smooth: Vector, face: Face) -> Face:
    """The face with its box and keypoints replaced by the filter's output."""
    x, y, width, height = smooth[:4].tolist()
    keypoints = None if face.keypoints is None else smooth[4:].astype(np.float32).reshape(-1, 2)
    return Face(Box(x - width / 2, y - height / 2, width, height), face.score, keypoints, face.doubtful)


def _match(followed: list[_Followed], faces: list[Face], time_s: float) -> dict[int, int]:
    """Which face (its index) belongs to which followed one: the closest pairs first, each used once."""
    candidates = []
    for row, known in enumerate(followed):
        expected = known.expected(time_s)
        hidden_s = time_s - known.seen_s if known.missed else 0.0
        for column, face in enumerate(faces):
            shift = _shift(expected, face.box)
            if shift >= MAX_SHIFT and known.is_home_at(face.box):
                candidates.append((MAX_SHIFT + hidden_s, row, column))
            elif shift < MAX_SHIFT:
                # Between a face in view and one that is hidden behind it, the one in view is the likelier.
                candidates.append((shift - iou(expected, face.box) + hidden_s, row, column))
    pairs: dict[int, int] = {}
    for _, row, column in sorted(candidates):
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return pairs


def _shift(expected: Box, found: Box) -> float:
    """Distance between two centres in units of the boxes' mean size; infinite where the sizes do not fit."""
    width, height = (expected.w + found.w) / 2, (expected.h + found.h) / 2
    sizes = sorted((expected.w * expected.h, found.w * found.h))
    if min(width, height) <= 0 or sizes[1] >= sizes[0] * MAX_GROWTH**2:
        return float("inf")
    across = (expected.x + expected.w / 2 - found.x - found.w / 2) / width
    down = (expected.y + expected.h / 2 - found.y - found.h / 2) / height
    return float(np.hypot(across, down))
