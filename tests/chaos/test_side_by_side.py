"""Sources of different kinds that open at the same time in a process that has opened none before."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
from streamaffect.errors import SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.demo import DemoSource
from streamaffect.sources.parse import make_source

sys.setswitchinterval(1e-6)
together, wrong = threading.Barrier(4), []

def open_one(source):
    together.wait()
    try:
        source.open()
    except SourceOpenError as error:
        if "refuses connections" not in str(error):
            wrong.append(error)
    except Exception as error:
        wrong.append(error)

cameras = [make_source("rtsp://127.0.0.1:1/live", settings=SourceSettings()) for _ in range(2)]
threads = [threading.Thread(target=open_one, args=[one]) for one in (*cameras, DemoSource(), DemoSource())]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("; ".join(map(repr, wrong)) or 0)
"""


@pytest.mark.parametrize("time", range(3))
def test_they_all_find_a_whole_pyav(time: int) -> None:
    child = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100, check=False)
    assert child.returncode == 0, child.stderr
