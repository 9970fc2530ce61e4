"""streamaffect's own pass over the video: the pipeline that reads files, with the settings that a user has.

python -m benchmarks.measures.peers.ours VIDEO [section.key=value …]
"""

import sys
import time
from collections import deque

import cv2

from benchmarks.measures.peers.reading import Noted, Reading
from streamaffect import Estimate
from streamaffect.config import load_config
from streamaffect.pipeline.opening import open_stream_engine, open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import load_bundle
from streamaffect.version import __version__

WARM_UP_S = 0.2  # of the video: five frames


def main() -> None:
    """Read and print the reading, after some frames that warm everything up, as the peers do."""
    video, *settings = sys.argv[1:]
    cv2.setNumThreads(1)  # as in the command line's processes
    config = load_config(overrides=settings)
    bundle = load_bundle()
    engine = open_stream_engine(bundle, config.engine)

    def opened(max_seconds: float | None = None) -> Pipeline:
        streams = open_streams([video], config, bundle)
        return Pipeline(streams, bundle, engine, settings=config.source, max_seconds=max_seconds)

    deque(opened(WARM_UP_S).messages(), maxlen=0)
    started_s = time.perf_counter()
    pipeline = opened()
    seen: dict[int, Estimate] = {}
    for message in pipeline.messages():
        if isinstance(message, Estimate) and message.refines is None and message.status in ("ok", "warming"):
            seen.setdefault(message.t_capture_ns, message)
    seconds = time.perf_counter() - started_s
    frames = sum(stats.finished for stats in pipeline.stats.values())
    noted = [Noted(one.pts_s or 0.0, one.box) for one in seen.values()]
    versions = {"streamaffect": __version__, "engine": str(engine.info)}
    print(Reading(frames, len(seen), seconds, tuple(noted), versions).to_json())


if __name__ == "__main__":
    main()
