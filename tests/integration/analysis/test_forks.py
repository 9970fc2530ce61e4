"""What was loaded before a fork: the child works on its own, or says why it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[3]

IN_A_POOL = """
import multiprocessing, sys
import streamaffect
from tests.support.faces import demo_frames
[frame] = demo_frames(1)

def analysed(_):
    return [estimate.valence for estimate in streamaffect.analyze_image(frame, bundle=sys.argv[1])]

expected = analysed(0)
assert len(expected) == 1
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(analysed, range(4)) == [expected] * 4
assert analysed(0) == expected
"""

A_FILE_IN_A_POOL = """
import multiprocessing, sys
import streamaffect
from streamaffect.sources.demo import DEMO_CLIP

def analysed(_):
    run = {"max_seconds": 1}
    return [(one.seq, one.valence) for one in streamaffect.analyze(DEMO_CLIP, bundle=sys.argv[1], run=run)]

expected = analysed(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(analysed, range(2)) == [expected] * 2
"""


@pytest.mark.parametrize("program", [IN_A_POOL, A_FILE_IN_A_POOL], ids=["pictures", "files"])
def test_a_forked_process_gives_the_answers_of_its_parent(tmp_path: Path, program: str) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    child = subprocess.run(
        [sys.executable, "-c", program, str(bundle)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (child.returncode, child.stderr) == (0, "")
