"""streamaffect: live video of faces to a continuous stream of valence and arousal, with uncertainty.

Everything here is loaded when it is first used, so that `import streamaffect` costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamaffect.affect.explanation import draw_explanation
    from streamaffect.affect.votes import video_votes
    from streamaffect.analysis import analyze, analyze_image
    from streamaffect.errors import (
        BundleError,
        ConfigError,
        ControlError,
        EngineError,
        FeedTimeoutError,
        RecordingError,
        SourceError,
        StreamAffectError,
        WireError,
    )
    from streamaffect.feed.client import Subscriber
    from streamaffect.feed.controller import Controller
    from streamaffect.messages import Estimate, Event, Health, Meta, Voice, Votes
    from streamaffect.runtime.bundle import Bundle, load_bundle
    from streamaffect.version import __version__

# From 1.29 on ONNX Runtime reports its use, models included, to its maker unless it finds this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "streamaffect.affect.explanation": ("draw_explanation",),
    "streamaffect.affect.votes": ("video_votes",),
    "streamaffect.analysis": ("analyze", "analyze_image"),
    "streamaffect.feed.client": ("Subscriber",),
    "streamaffect.feed.controller": ("Controller",),
    "streamaffect.errors": (
        "BundleError",
        "ConfigError",
        "ControlError",
        "EngineError",
        "FeedTimeoutError",
        "RecordingError",
        "SourceError",
        "StreamAffectError",
        "WireError",
    ),
    "streamaffect.runtime.bundle": ("Bundle", "load_bundle"),
    "streamaffect.messages": ("Estimate", "Event", "Health", "Meta", "Voice", "Votes"),
    "streamaffect.version": ("__version__",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Bundle",
    "BundleError",
    "ConfigError",
    "ControlError",
    "Controller",
    "EngineError",
    "Estimate",
    "Event",
    "FeedTimeoutError",
    "Health",
    "Meta",
    "RecordingError",
    "SourceError",
    "StreamAffectError",
    "Subscriber",
    "Voice",
    "Votes",
    "WireError",
    "__version__",
    "analyze",
    "analyze_image",
    "draw_explanation",
    "load_bundle",
    "video_votes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
