"""Decoding on a device of this machine, such as a graphics card, where that is asked for and one can do it.

A frame comes back into ordinary memory, so that all that follows is the same. What a device cannot decode, the
processor does, without another word.
"""

import logging
from functools import cache
from typing import Literal

from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.error import FFmpegError

log = logging.getLogger(__name__)

Hwaccel = Literal["off", "auto"]
USUAL = "h264"  # what cameras and files have most often; a device that is there decodes this


def decoding_device(wanted: Hwaccel) -> HWAccel | None:
    """What PyAV opens a container with; None where the processor is to decode, or nothing else can."""
    kind = _first_that_works() if wanted == "auto" else None
    return None if kind is None else HWAccel(kind, allow_software_fallback=True)


@cache
def _first_that_works() -> str | None:
    """FFmpeg's name of a kind of device that is here and decodes; said once, whichever way it is."""
    known = hwdevices_available()
    for kind in known:
        if _works(kind):
            log.warning("source.hwaccel = auto: %s decodes what it can", kind)
            return kind
    tried = f"tried {', '.join(known)}" if known else "FFmpeg was built without any"
    log.warning("source.hwaccel = auto: no device here decodes video (%s); the processor does", tried)
    return None


def _works(kind: str) -> bool:
    try:
        HWAccel(kind, allow_software_fallback=True).create(Codec(USUAL, "r"))
    except (FFmpegError, OSError, NotImplementedError, ValueError):  # not here, or it decodes nothing of the kind
        return False
    return True
