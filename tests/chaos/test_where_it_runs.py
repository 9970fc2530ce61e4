"""Places that give a process little: nowhere to write, hardly any file descriptors."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"
IN_A_MOUNT_OF_ITS_OWN = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
READ_ONLY = "mount -o remount,ro,bind / && "


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def command(bundle: Path, *arguments: str) -> list[str]:
    words = [sys.executable, str(ROOT / "run_stream.py"), "--bundle", str(bundle), "--bind", "tcp://127.0.0.1:0"]
    return [*words, "--no-display", *arguments]


def finish(words: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload, no-any-return]


def may_remount() -> bool:
    try:
        trial = finish([*IN_A_MOUNT_OF_ITS_OWN, f"{READ_ONLY} ! touch {ROOT}/written"])
    except OSError:
        return False
    return trial.returncode == 0


@pytest.mark.skipif(not may_remount(), reason="needs unshare, user namespaces and one file system")
@pytest.mark.parametrize("detector", ["mediapipe", "litert"])
def test_a_run_needs_no_place_to_write(bundle: Path, detector: str) -> None:
    words = command(bundle, "--source", str(DEMO), "--max-seconds", "1", "--set", f"faces.detector={detector}")
    done = finish([*IN_A_MOUNT_OF_ITS_OWN, READ_ONLY + "exec env HOME=/nowhere TMPDIR=/nowhere " + " ".join(words)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("count", [8, 12, 24])
def test_too_few_descriptors_are_said_at_the_start(bundle: Path, count: int) -> None:
    done = finish(
        command(bundle, "--source", "demo"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"streamaffect: this process may open {count} files at once, and 36 are needed")
    assert done.stderr.count("\n") == 1


def test_a_low_limit_that_may_be_raised_is_raised(bundle: Path) -> None:
    done = finish(
        command(bundle, "--source", str(DEMO), "--max-seconds", "1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 256)),
    )
    assert (done.returncode, done.stderr) == (0, "")
