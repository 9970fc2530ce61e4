"""What lenses look at, and what they say: the values that pass between the estimator and them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy.typing as npt

from streamaffect.types import HeadMeta

TrackKey = tuple[str, int]
Interval = tuple[float, float]
Medium = Literal["stream", "still"]


@dataclass(frozen=True, slots=True)
class View:
    """One face at one time.

    key:    stream and track
    inputs: one row for each thing that was computed of it, by name: "features" (D,) and "map" (C, H, W) where it was
            seen just now, "clip" (C,) and the heads' rows where it has been seen lately
    """

    key: TrackKey
    time_s: float
    inputs: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a lens says of one face. intervals: of those of its values that have one."""

    values: dict[str, float]
    intervals: dict[str, Interval] = field(default_factory=dict)


Readings = Mapping[str, Reading]  # by the lens's name


class LensPart(Protocol):
    """A lens that is loaded and can look. It keeps nothing of what it has seen."""

    @property
    def meta(self) -> HeadMeta:
        """As subscribers see it: its name, kind, outputs, and `lens`, which one it is."""
        ...

    @property
    def inputs(self) -> Sequence[str]:
        """What it reads; it is only asked about faces for which all of it is there."""
        ...

    @property
    def rate_hz(self) -> float:
        """At most so many times a second and face; 0 is with every estimate."""
        ...

    def look(self, views: Sequence[View]) -> Sequence[Reading | None]:
        """One reading for each view, None where there is nothing to be said."""
        ...
