"""Who is told what is heard."""

from typing import Protocol

from streamaffect.types import SoundBlock, SoundClock


class Ear(Protocol):
    """Takes the sound of one source. A source calls it from any one thread of its own, and is never made to wait."""

    def hear(self, block: SoundBlock, clock: SoundClock) -> None:
        """The next block; blocks follow each other in time."""
        ...

    def absent(self, reason: str) -> None:
        """There is nothing to hear and will not be; one line that says why."""
        ...

    def remark(self, text: str) -> None:
        """Something that a user has to know of this sound; one line."""
        ...

    def lost(self, reason: str) -> None:
        """What was heard is away, and is tried again; the next block says that it is back."""
        ...
