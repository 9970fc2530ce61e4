"""Several processes train one model, die together and go on together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Both over loopback: a machine's own name need not resolve (containers, a laptop without network).
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2")
SUPPORT = ROOT / "tests" / "support" / "training"
NEVER = 99


def launch(*program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *LAUNCHER, *program]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=150)


def train(folder: Path, dies_in: int = NEVER) -> subprocess.CompletedProcess[str]:
    return launch(str(SUPPORT / "two_processes.py"), str(folder), str(dies_in))


def skip_where_processes_cannot_meet() -> None:
    """Skip if torch alone, with none of our code, can't add two numbers of two processes on this machine."""
    done = launch(str(SUPPORT / "two_processes_meet.py"))
    if done.returncode != 0:
        pytest.skip(f"torch's processes can't talk to each other on this machine: {done.stderr.strip()[-300:]}")


@pytest.mark.slow
@pytest.mark.timeout(600)  # three launches of two processes, each of which loads torch
def test_two_processes_that_were_killed_end_as_two_that_were_not(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    done = train(whole)
    if done.returncode != 0:
        skip_where_processes_cannot_meet()
    assert done.returncode == 0, done.stderr
    assert train(killed, dies_in=1).returncode != 0
    assert not (killed / "process-0.txt").exists()
    done = train(killed)
    assert done.returncode == 0, done.stderr
    for name in ("process-0.txt", "process-1.txt", "run/metrics.jsonl"):
        assert (killed / name).read_text() == (whole / name).read_text()
    assert (whole / "process-0.txt").read_text() == (whole / "process-1.txt").read_text()
