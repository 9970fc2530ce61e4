"""Places for faces: a new face takes the first that is free, and keeps it for as long as it is followed.

A track's number is never used again, which is right for data and hard on a receiver that is wired by hand. A place
stays where it is.
"""

import logging

from streamaffect.messages import Estimate, Event

log = logging.getLogger(__name__)

REMOVES = ("stream_removed",)
ENDS = ("source_ended", *REMOVES)


class Slots:
    """The places 1, 2, …, `count` of each stream.

    setting: what a user would set to have more
    """

    def __init__(self, count: int, *, setting: str) -> None:
        self._count = count
        self._setting = setting
        self._taken: dict[str, dict[int, int]] = {}
        self._told = False

    def of(self, estimate: Estimate) -> int | None:
        """The place of the face that an estimate is of; None where all are taken."""
        taken = self._taken.setdefault(estimate.stream, {})
        if (slot := taken.get(estimate.track)) is not None:
            return slot
        free = next((one for one in range(1, self._count + 1) if one not in taken.values()), None)
        if free is None:
            self._tell(estimate.stream)
            return None
        taken[estimate.track] = free
        return free

    def leave(self, event: Event) -> list[int]:
        """The places that an event makes free: that of a face that is lost, or all of a stream that has ended."""
        taken = self._taken.get(event.stream, {})
        if event.event == "track_lost" and event.track is not None:
            slot = taken.pop(event.track, None)
            return [] if slot is None else [slot]
        if event.event in ENDS:
            return list(self._taken.pop(event.stream, {}).values())
        return []

    def _tell(self, stream: str) -> None:
        if not self._told:
            self._told = True
            log.warning(
                "%s: more faces than %s = %d has room for are left out there; set it higher to have them",
                stream,
                self._setting,
                self._count,
            )
