"""A camera opened again and again: what this process has grown by."""

import os
from collections.abc import Iterator

from benchmarks.measures.faults.camera import RIGHT, running
from benchmarks.measures.soak.process import ProcessState, look_at
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source

LOOKS = 10


def states(count: int, *, warm_up: int = 100) -> Iterator[tuple[int, ProcessState]]:
    """After how many times, and this process then: ten times after the first `warm_up`, which fill its pools."""
    with running("rtsp") as (port, _), make_source(_url(port), settings=SourceSettings()) as source:
        for number in range(warm_up + count + 1):
            source.open()
            source.read()
            if number >= warm_up and (number - warm_up) % max(1, count // LOOKS) == 0:
                yield number - warm_up, look_at(os.getpid(), 0.0)


def _url(port: int) -> str:
    return f"rtsp://{RIGHT.user}:{RIGHT.password}@127.0.0.1:{port}/live"
