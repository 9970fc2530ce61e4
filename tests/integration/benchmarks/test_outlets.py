"""`benchmarks/live/outlets.py`: some seconds of it, in which every reader gets something and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pylsl", exc_type=ImportError)

ROOT = Path(__file__).parents[3]
READ = ("lsl samples", "osc bundles", "mqtt messages", "metrics scrapes", "web updates", "estimates recorded")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")
def test_a_run_with_all_outlets_is_compared_with_one_without_and_each_of_them_is_read(tmp_path: Path) -> None:
    out = tmp_path / "outlets.json"
    command = [sys.executable, "benchmarks/live/outlets.py", "--minutes", "0.06", "--rounds", "1", "--out", str(out)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert child.returncode == 0, child.stdout + child.stderr
    without, with_them, *facts = json.loads(out.read_text())["results"]
    assert (without["run"], with_them["run"], without["lost"], with_them["lost"]) == ("without", "with", 0, 0)
    figures = {row["what"]: row["value"] for row in facts}
    assert all(figures[what] > 0 for what in READ), figures
    assert (figures["lsl samples missing"], figures["missing in the recording"]) == (0, 0)
