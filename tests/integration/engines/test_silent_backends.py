"""No backend tells its maker that it is used: no connection, no id in the user's home folder."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.no_network import can_forbid_network

ROOT = Path(__file__).parents[3]

RUN = """
import time
import numpy as np
from tests.support.no_network import forbid_network
forbid_network()
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import open_engine
bundle = load_bundle()
engine = open_engine(bundle, {backend!r})
engine.encode_frames(np.zeros((1, bundle.manifest.crop.size, bundle.manifest.crop.size, 3), np.uint8))
engine.close()
print("done")
"""


@pytest.mark.skipif(not can_forbid_network(), reason="only Linux can forbid a process to open sockets")
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_running_a_backend_reports_nothing_to_anybody(backend: str, tmp_path: Path) -> None:
    """Left alone, both write an id of this user into the home folder and report to a server."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    told_in_ci = ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY")  # the makers' own reasons to be silent
    environment = {name: value for name, value in os.environ.items() if name not in told_in_ci}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", RUN.format(backend=backend)]
    child = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout.strip()) == (0, "done"), child.stderr
    assert list(tmp_path.rglob("*")) == []
