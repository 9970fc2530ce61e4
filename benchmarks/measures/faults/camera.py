"""A camera in a process of its own, behind a proxy: what is wrong with it is a line on standard input.

    python -m benchmarks.measures.faults.camera rtsp

Prints the port, and a line after each change. The camera asks for a password, by digest.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamaffect.types import ImageArray
from tests.support.faces import demo_frames
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.http_stream import HttpVideo
from tests.support.rtsp_server import Credentials, RtspServer

ROOT = Path(__file__).parents[3]
RIGHT, WRONG = Credentials("viewer", "s3cret", "Digest"), Credentials("viewer", "changed", "Digest")
FRAMES, FPS, SLOW_FPS = 240, 25.0, 10.0
# Nobody listens there: whoever is led there notices nothing but a refusal.
ELSEWHERE = "localhost:9/live"
ON_THE_LINE: tuple[Fault, ...] = (
    "refused",
    "black hole",
    "headers only",
    "frozen",
    "closed",
    "dripping",
    "corrupt",
)

Picture = Callable[[int], ImageArray]


class FailingCamera:
    """Motion JPEG of a face, 640x360 at 25 pictures a second, over `rtsp` or `http`."""

    def __init__(self, scheme: str) -> None:
        frames = demo_frames(FRAMES)
        small = [frame[::2, ::2].copy() for frame in frames]
        self._scheme = scheme
        self._large: Picture = lambda number: frames[number % FRAMES]
        self._small: Picture = lambda number: small[number % FRAMES]
        make = RtspServer if scheme == "rtsp" else HttpVideo
        self._camera: RtspServer | HttpVideo = make(picture=self._large, fps=FPS, credentials=RIGHT)
        self._proxy = FaultProxy(self._camera.port)
        self.port = self._proxy.port

    def play(self, fault: str) -> None:
        """From now on this is wrong, and all else is well; "well" is nothing."""
        self._camera.credentials = WRONG if fault == "wrong password" else RIGHT
        self._camera.picture = self._small if fault == "other size" else self._large
        self._camera.fps = SLOW_FPS if fault == "other rate" else FPS
        self._leads_to = f"{self._scheme}://{ELSEWHERE}" if fault == "redirect" else ""
        for known in ON_THE_LINE:
            if known == fault:
                self._proxy.play(known)
                return
        if fault in ("wrong password", "redirect", "unknown name"):
            self._proxy.play("closed")  # so that it is asked again
        self._proxy.play("none")

    def close(self) -> None:
        """End it."""
        self._proxy.close()
        self._camera.kill()

    @property
    def _leads_to(self) -> str:
        return self._camera.moved_to if isinstance(self._camera, RtspServer) else self._camera.away_to

    @_leads_to.setter
    def _leads_to(self, address: str) -> None:
        if isinstance(self._camera, RtspServer):
            self._camera.moved_to = address
        else:
            self._camera.away_to = address


@contextmanager
def running(scheme: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A camera in a process of its own: its port, and the process."""
    words = [sys.executable, "-m", "benchmarks.measures.faults.camera", scheme]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.terminate()
        process.communicate()


def main() -> None:
    """Serve until standard input ends."""
    camera = FailingCamera(sys.argv[1])
    print(camera.port, flush=True)
    for line in sys.stdin:
        camera.play(line.strip())
        print("done", flush=True)
    camera.close()


if __name__ == "__main__":
    main()
