"""A camera opened again and again: what this process has grown by."""

import os
from collections.abc import Iterator

from benchmarks.measures.soak.process import ProcessState, look_at
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from tests.support.rtsp_server import RtspServer
from tests.support.videos import picture

LOOKS = 10


def states(count: int, *, warm_up: int = 100) -> Iterator[tuple[int, ProcessState]]:
    """After how many times, and this process then: ten times after the first `warm_up`, which fill its pools."""
    with (
        RtspServer(lambda number: picture(number % 32, width=640, height=360), fps=100.0) as server,
        make_source(server.url, settings=SourceSettings()) as source,
    ):
        for number in range(warm_up + count + 1):
            source.open()
            source.read()
            if number >= warm_up and (number - warm_up) % max(1, count // LOOKS) == 0:
                yield number - warm_up, look_at(os.getpid(), 0.0)
