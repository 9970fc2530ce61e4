"""Ends what a fleet's own cluster has left, when the fleet itself cannot any more: killed, or out of its time.

The system kills Ray's first processes with us; some that those have started go on. A small process of its own waits for
our end, then ends those that still write into the folder of this fleet, and removes that. All that Ray starts writes
its log there. This file is that process's program too, so it imports nothing of ours. Linux; elsewhere Ray has one.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RAYS = ("python", "raylet", "gcs_server")  # how its programs are called
GRACE_S = 1.0
WITHIN_S = 10.0
LOOK_S = 0.1


@contextmanager
def reaped(folder: Path) -> Iterator[None]:
    """Whatever writes into the folder ends with this block, and with this process at the latest."""
    theirs, ours = os.pipe()
    process = _started(theirs, folder)
    os.close(theirs)
    try:
        yield
    finally:
        if process is not None:
            end_all(folder, grace_s=GRACE_S)
        os.close(ours)
        if process is not None:
            process.wait()


def end_all(folder: Path, *, grace_s: float, within_s: float = WITHIN_S) -> list[int]:
    """Wait for those that write into the folder to end, and kill whoever has not; returns who is left."""
    started_s = time.monotonic()
    while left := writers(folder):
        waited_s = time.monotonic() - started_s
        if waited_s > within_s:
            return left
        if waited_s > grace_s:
            for process in left:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(LOOK_S)
    return []


def writers(folder: Path) -> list[int]:
    """Processes of Ray's, by their numbers, that have a file in the folder open; this one is none of them."""
    if not Path("/proc/self/fd").is_dir():
        return []
    own = (os.getpid(), os.getppid())
    processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [process for process in processes if process not in own and _writes(process, f"{folder}/")]


def _writes(process: int, beginning: str) -> bool:
    place = Path("/proc") / str(process)
    try:
        if not (place / "exe").readlink().name.startswith(RAYS):
            return False
        for descriptor in (place / "fd").iterdir():
            with suppress(FileNotFoundError):
                if str(descriptor.readlink()).startswith(beginning):
                    return True
    except OSError:  # another user's, or it has ended
        pass
    return False


def _started(theirs: int, folder: Path) -> "subprocess.Popen[bytes] | None":
    if not sys.platform.startswith("linux") or not sys.executable or getattr(sys, "frozen", False):
        return None
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(theirs), str(folder)],
            pass_fds=[theirs],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None


def main() -> None:
    """Wait for the other end of the pipe to go, with the process that holds it, and clear up after that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = Path(sys.argv[2])
    select.select([int(sys.argv[1])], [], [])
    if folder.is_dir():
        end_all(folder, grace_s=GRACE_S)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
