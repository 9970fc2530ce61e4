import subprocess
import sys
from pathlib import Path

from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[3]

ANALYSE_ONCE = """
import sys
import streamaffect
from tests.support.faces import demo_frames
assert len(streamaffect.analyze_image(demo_frames(1)[0], bundle=sys.argv[1])) == 1
"""


def test_a_program_that_analysed_a_picture_ends_without_a_word(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    child = subprocess.run(
        [sys.executable, "-c", ANALYSE_ONCE, str(bundle)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert child.returncode == 0
    assert "Traceback" not in child.stderr
    assert "Exception ignored" not in child.stderr
