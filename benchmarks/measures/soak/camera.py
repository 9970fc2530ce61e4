"""A camera in a process of its own: the demo clip over RTSP, and away for a while when it is told so.

Prints its port. Each line on standard input is how many seconds it shall be away: every connection breaks off and
nobody listens. Then it is back on the same port.
"""

import sys
import time

from tests.support.faces import demo_frames
from tests.support.rtsp_server import RtspServer

FRAMES = 240


def main() -> None:
    """Serve until standard input ends."""
    frames = demo_frames(FRAMES)
    camera = RtspServer(lambda number: frames[number % FRAMES])
    print(camera.port, flush=True)
    for line in sys.stdin:
        camera.kill()
        time.sleep(float(line))
        camera = RtspServer(camera.picture, port=camera.port)
    camera.kill()


if __name__ == "__main__":
    main()
