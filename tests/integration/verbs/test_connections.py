"""Whom the program talks to, as the kernel sees it: nobody beyond this machine."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[3]
TRACED = "connect,sendto,sendmsg,sendmmsg"
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")
CALLS_HOME = "import socket; socket.create_connection(('192.0.2.1', 9), 0.1)"


def may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace")


def asked_hosts(words: list[str], folder: Path) -> set[str]:
    """The internet addresses that a program and all its children have sent something to, or tried to."""
    trace = folder / "trace"
    environment = os.environ | {"STREAMAFFECT_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    command = ["strace", "-f", "-qq", "-e", f"trace={TRACED}", "-o", str(trace), sys.executable, *words]
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=100, check=False)
    return {number for found in ADDRESS.findall(trace.read_text()) for number in found if number}


def test_a_connection_to_another_machine_is_seen_here(tmp_path: Path) -> None:
    assert asked_hosts(["-c", CALLS_HOME], tmp_path) == {"192.0.2.1"}


@pytest.mark.parametrize("verb", ["run", "doctor", "build"])
def test_nobody_beyond_this_machine_is_asked(tmp_path: Path, verb: str) -> None:
    bundle = str(write_bundle(tmp_path / "bundle"))
    bind = ["--bind", "tcp://127.0.0.1:0", "--max-seconds", "1"]
    words = {
        "run": ["run_stream.py", "--source", "demo", "--bundle", bundle, *bind, "--record", str(tmp_path / "a.jsonl")],
        "doctor": ["run_stream.py", "doctor"],
        "build": ["-m", "engines", "build", bundle, "--backend", "openvino", "--precision", "fp32"],
    }
    if verb == "build" and importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    assert {host for host in asked_hosts(words[verb], tmp_path) if not LOOPBACK.match(host)} == set()
    assert verb != "run" or (tmp_path / "a.jsonl").stat().st_size > 0
    assert verb != "build" or any((tmp_path / "cache").iterdir())
