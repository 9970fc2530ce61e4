"""What lenses look at, and what they say: the values that pass between the estimator and them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy.typing as npt

from streamaffect.lenses.manifest import PICTURE
from streamaffect.messages import HeadMeta
from streamaffect.types import Face, ImageArray, Picture

TrackKey = tuple[str, int]
Interval = tuple[float, float]
Medium = Literal["stream", "still"]
AGE = "age_s"  # of what a dear lens says: how much older its picture was than that of the estimate


@dataclass(frozen=True, slots=True)
class FacePicture:
    """A face in its frame, for lenses that want more pixels than the encoder's crop has.

    picture: (H, W, 3) uint8 BGR, or what becomes it; one thread at a time may ask for parts of it
    """

    picture: ImageArray | Picture
    face: Face


@dataclass(frozen=True, slots=True)
class View:
    """One face at one time.

    key:    stream and track
    inputs: one row for each thing that was computed of it, by name: "features" (D,) and "map" (C, H, W) where it was
            seen just now; "clip" (C,), its "context" (K, C) with "valid" (K,), and the heads' rows where it has been
            seen lately
    picture: where the face is in its frame; None while it is hidden or shown too poorly
    """

    key: TrackKey
    time_s: float
    inputs: Mapping[str, npt.NDArray[Any]]
    picture: FacePicture | None = None

    def has(self, name: str) -> bool:
        """True where this can be read of it."""
        return self.picture is not None if name == PICTURE else name in self.inputs


@dataclass(frozen=True, slots=True)
class Reading:
    """What a lens says of one face.

    intervals: of those of its values that have one
    is_map:    its values are cells of the square that the model sees, named as in `streamaffect.text.regions`
    """

    values: dict[str, float]
    intervals: dict[str, Interval] = field(default_factory=dict)
    is_map: bool = False


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


@runtime_checkable
class DearLens(Protocol):
    """A lens that takes so long for a face that a live stream must not wait for it."""

    @property
    def is_dear(self) -> bool:
        """True where it does."""
        ...


@runtime_checkable
class KeepingLens(Protocol):
    """A lens that keeps something of faces."""

    def forget(self, key: TrackKey) -> None:
        """Drop what is known of a track that is lost."""
        ...


@runtime_checkable
class HoldingLens(Protocol):
    """A lens that holds a model or a thread of its own."""

    def close(self) -> None:
        """Release it. Calling it again does nothing."""
        ...
