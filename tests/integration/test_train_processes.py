"""Several processes train one model, die together and go on together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
NEVER = 99


def train(folder: Path, dies_in: int = NEVER) -> int:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = [str(ROOT / "tests" / "support" / "two_processes.py"), str(folder), str(dies_in)]
    done = subprocess.run([*launcher, *program], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False)
    return done.returncode


@pytest.mark.slow
@pytest.mark.timeout(600)  # three launches of two processes, each of which loads torch
def test_two_processes_that_were_killed_end_as_two_that_were_not(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert train(whole) == 0
    assert train(killed, dies_in=1) != 0
    assert not (killed / "process-0.txt").exists()
    assert train(killed) == 0
    for name in ("process-0.txt", "process-1.txt", "run/metrics.jsonl"):
        assert (killed / name).read_text() == (whole / name).read_text()
    assert (whole / "process-0.txt").read_text() == (whole / "process-1.txt").read_text()
