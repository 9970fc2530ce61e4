"""The lenses of a run at work: which face is due, and what becomes of a lens that fails.

A lens never stops the stream: one that fails is said once and looks no more.
"""

import logging
from collections.abc import Sequence

from streamaffect.lenses.view import KeepingLens, LensPart, Reading, Readings, TrackKey, View
from streamaffect.runtime.warm_up import first_line

log = logging.getLogger(__name__)

SLACK = 1e-6  # of a period: times are sums of floats


class LensDesk:
    """The lenses that one estimator asks. One thread at a time."""

    def __init__(self, lenses: Sequence[LensPart]) -> None:
        self._lenses = list(lenses)
        self._looked_s: dict[tuple[str, TrackKey], float] = {}

    @property
    def inputs(self) -> frozenset[str]:
        """All that they read."""
        return frozenset(name for lens in self._lenses for name in lens.inputs)

    def look(self, views: Sequence[View]) -> list[Readings]:
        """What the lenses that are due say of each view."""
        readings: list[dict[str, Reading]] = [{} for _ in views]
        for lens in list(self._lenses):
            name = lens.meta.name
            due = [i for i, view in enumerate(views) if self._is_due(lens, view)]
            if not due:
                continue
            try:
                found = lens.look([views[i] for i in due])
            except Exception as error:
                log.warning("the lens %s has failed and is left out from now on: %s", name, first_line(error))
                self._lenses.remove(lens)
                continue
            for i, reading in zip(due, found, strict=True):
                if lens.rate_hz:
                    self._looked_s[name, views[i].key] = views[i].time_s
                if reading is not None:
                    readings[i][name] = reading
        return list(readings)

    def forget(self, key: TrackKey) -> None:
        """Drop what is known of a track that is lost."""
        for lens in self._lenses:
            self._looked_s.pop((lens.meta.name, key), None)
            if isinstance(lens, KeepingLens):
                lens.forget(key)

    def _is_due(self, lens: LensPart, view: View) -> bool:
        if not all(view.has(name) for name in lens.inputs):
            return False
        last_s = self._looked_s.get((lens.meta.name, view.key))
        return last_s is None or view.time_s - last_s >= (1 - SLACK) / lens.rate_hz
