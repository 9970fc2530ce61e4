"""What the command line sets for its whole process."""

import os
import subprocess
import sys

import pytest

COUNT = """
import contextlib
from streamaffect.cli import main
with contextlib.suppress(SystemExit):
    main(["--version"])
import cv2
print(cv2.getNumThreads())
"""


@pytest.mark.parametrize(("asked", "threads"), [(None, "1"), ("2", "2")])
def test_opencv_has_one_thread_unless_somebody_asks_for_more(asked: str | None, threads: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_FOR_THREADS_NUM"}
    if asked is not None:
        environment["OPENCV_FOR_THREADS_NUM"] = asked
    run = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split()[-1] == threads
