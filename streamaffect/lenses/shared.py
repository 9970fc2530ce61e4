"""A lens that is asked twice about the same faces, by the stream and by what builds on it, and looks once."""

from collections.abc import Mapping, Sequence
from typing import Any

from streamaffect.lenses.view import LensPart, Reading, TrackKey, View

Known = tuple[Mapping[str, Any], Reading | None]  # a view's inputs, which hold no picture, and what was said of it


class SharedLens:
    """A `LensPart` in place of another one, which remembers what that has said of the faces it was last asked about.

    It knows a face again by its view's inputs: the very same ones, not equal ones.
    """

    def __init__(self, lens: LensPart) -> None:
        self._lens = lens
        self.meta, self.inputs, self.rate_hz = lens.meta, lens.inputs, lens.rate_hz
        self._said: dict[TrackKey, Known] = {}

    def look(self, views: Sequence[View]) -> Sequence[Reading | None]:
        """What the lens says, or has just said, of each view."""
        new = [view for view in views if not self._knows(view)]
        if new:
            found = self._lens.look(new)
            known = {view.key: self._said[view.key] for view in views if self._knows(view)}
            self._said = known | {view.key: (view.inputs, reading) for view, reading in zip(new, found, strict=True)}
        return [self._said[view.key][1] for view in views]

    def _knows(self, view: View) -> bool:
        said = self._said.get(view.key)
        return said is not None and said[0] is view.inputs
