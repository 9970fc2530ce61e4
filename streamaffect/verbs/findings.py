"""What `streamaffect doctor` finds: one thing that was tried, and what to do about it."""

from typing import Literal

import msgspec

State = Literal["ok", "absent", "broken"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was tried.

    state:  ok; absent (a run works without it); broken (a run needs it)
    detail: what was found, or why it failed
    remedy: what to do, empty where nothing is to be done
    """

    name: str
    state: State
    detail: str
    remedy: str = ""
