"""When the detector looks: in every frame, or only as often as is needed, while known faces are followed in between.

It looks at once where a followed face is in doubt or has moved far, and in every frame as long as faces come and go:
until what it finds has been the same for long enough that the tracker believes it, or has given up what is gone. What
it decides follows from the pictures and their times alone, unless somebody says that there is too much to do.
`benchmarks/cadence.py` measures what this costs (docs/accuracy.md).
"""

from streamaffect.faces.boxes import iou
from streamaffect.faces.cadence.patch import Patch
from streamaffect.settings import TrackerSettings
from streamaffect.types import Face, ImageArray, Picture

AT_REST, AT_MOST = 3, 5  # frames from one look to the next: where nothing presses, and where there is too much to do
LONGEST_S = 0.25  # from one look to the next, however few frames that is
ALIKE = 0.9  # a followed face whose picture correlates less is looked for
FAR = 0.15  # of its size: a face that has moved so far since it was detected has turned or grown, too
SURE = 0.6  # a face that was detected with less is not followed
SAME = 0.5  # overlap of one face in two looks
MOST_FACES = 8  # following more of them costs as much as looking


class Cadence:
    """Decides, frame by frame of one stream, whether the detector looks.

    every: from one look to the next, in frames; None: by need
    """

    def __init__(self, tracker: TrackerSettings, every: int | None = None) -> None:
        self._tracker = tracker
        self._every = every
        self._patches: list[Patch] | None = None
        self._looked_s = 0.0
        self._since = 0
        self._alike_looks = 0
        self._alike_since_s = 0.0
        self._known: list[Face] | None = None

    def successor(self) -> "Cadence":
        """One that knows no face yet."""
        return Cadence(self._tracker, self._every)

    def retune(self, tracker: TrackerSettings) -> None:
        """Wait for a tracker of other settings from the next look on; callable from any thread."""
        self._tracker = tracker

    def follow(self, picture: ImageArray | Picture, time_s: float, *, pressed: bool = False) -> list[Face] | None:
        """The known faces in the next picture, (H, W, 3) uint8 BGR; None where the detector has to look.

        pressed: there is more to do than can be done
        """
        every = self._every or (AT_MOST if pressed else AT_REST)
        is_due = self._since + 1 >= every or time_s - self._looked_s >= LONGEST_S
        if is_due or self._patches is None:
            return None
        for patch in self._patches:
            if patch.follow(picture) < ALIKE or patch.way > FAR:
                return None
        self._since += 1
        return [patch.face for patch in self._patches]

    def note(self, picture: ImageArray | Picture, time_s: float, found: list[Face]) -> None:
        """Take what the detector has found in the picture."""
        if self._every == 1:
            return
        if self._known is None or not _are_the_same(self._known, found):
            self._alike_looks, self._alike_since_s = 0, time_s
        self._alike_looks += 1
        self._known, self._looked_s, self._since = found, time_s, 0
        self._patches = [Patch(picture, face) for face in found] if self._is_settled(found, time_s) else None

    def _is_settled(self, found: list[Face], time_s: float) -> bool:
        """Whether what is found has been the same for long enough, and can be followed."""
        tracker = self._tracker
        if len(found) > MOST_FACES or any(face.doubtful or face.score < SURE for face in found):
            return False
        settle_s = max(tracker.confirm_s, tracker.keep_s)
        return self._alike_looks >= max(2, tracker.confirm_hits) and time_s - self._alike_since_s > settle_s


def _are_the_same(before: list[Face], now: list[Face]) -> bool:
    """Whether each face of one look is also in the other."""
    return len(before) == len(now) and all(any(iou(face.box, one.box) >= SAME for one in now) for face in before)
