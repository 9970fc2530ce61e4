"""The example for Node.js reads a real feed. It needs the package zeromq, in a folder that NODE_PATH names."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from streamaffect.messages import Message
from tests.support.control.desks import meta
from tests.support.feeds import publishing
from tests.support.recordings import estimate_at

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "subscribe.mjs"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The example, in a folder where Node.js finds zeromq; skips where there is none."""
    modules = [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    found = [folder for folder in modules if (folder / "zeromq").is_dir()]
    if shutil.which("node") is None or not found:
        pytest.skip("needs node, and zeromq in a folder that NODE_PATH names (npm install zeromq)")
    (tmp_path / "node_modules").symlink_to(found[0])
    return Path(shutil.copy(EXAMPLE, tmp_path))


def test_the_example_prints_what_the_feed_says_of_itself_and_each_estimate(program: Path) -> None:
    said: list[Message] = [meta("cam"), estimate_at(1.0, stream="cam", seq=41)]
    with (
        publishing(said=said) as feed,
        subprocess.Popen(["node", str(program), feed.address], stdout=subprocess.PIPE, text=True) as node,
    ):
        try:
            assert node.stdout is not None
            lines = [node.stdout.readline() for _ in range(2)]
        finally:
            node.kill()
    assert lines[0].startswith("cam: test@1 on test. ")
    assert '"stream":"cam","track":3,"seq":41,"status":"ok","valence":0.31,"arousal":-0.12,"lost":0' in lines[1]
