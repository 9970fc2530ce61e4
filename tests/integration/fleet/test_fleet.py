"""The command as users start it, on a cluster of its own: groups that run, die, come back, come and go, and its end.

Faults of several nodes take minutes: `python benchmarks/live/fleet.py --only nodes`.
"""

import importlib.util
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from benchmarks.measures.fleets.running import RunningFleet, descendants
from streamaffect.cli import main
from streamaffect.fleet.cluster import PREFIX
from streamaffect.messages import Event, Health
from tests.support.outlets.processes import free_port

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes by /proc")

WAIT_S = 150.0
END_S = 10.0
TWO = """
[settings.engine]
precision = "fp32"
[groups.a]
sources = ["left=synthetic:faces=1,fps=10"]
cpus = 0.5
[groups.b]
sources = ["right=synthetic:faces=1,fps=10"]
cpus = 0.5
[supervision]
silence_s = 20
"""


@needs_ray
@on_linux
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_fleet_on_one_machine_from_its_start_to_its_end(tmp_path: Path) -> None:
    settings = tmp_path / "fleet.toml"
    settings.write_text(TWO)
    fleet = RunningFleet(settings, f"tcp://127.0.0.1:{free_port()}")
    try:
        fleet.await_streams(["left", "right"], WAIT_S)
        others = descendants(fleet.process.pid)
        folder = next(
            path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _belongs_to(path, fleet.process.pid)
        )
        assert folder.stat().st_mode & 0o777 == 0o700

        fleet.listen_for(2.0)  # a new run is known by its counting from 0
        before = fleet.run_of("left"), fleet.run_of("right")
        os.kill(fleet.groups()["a"].process, signal.SIGKILL)
        fleet.back("left", 0.0, WAIT_S)
        fleet.await_groups(
            lambda _: fleet.run_of("left") != before[0] and "source_back" in fleet.events("left"), WAIT_S
        )
        assert fleet.run_of("right") == before[1]
        assert fleet.events("left").index("source_lost") < fleet.events("left").index("source_back")
        assert any(isinstance(one, Health) and one.state == "lost" for _, one in fleet.heard if one.stream == "left")

        t_ns = fleet.control.mark("go")
        fleet.control.add("third=synthetic:faces=1,fps=10", group="b")
        fleet.await_streams(["third"], WAIT_S)
        marks = {one.stream: one.t_ns for _, one in fleet.heard if isinstance(one, Event) and one.event == "marker"}
        assert marks == {"left": t_ns, "right": t_ns}

        settings.write_text(TWO.replace("[groups.a]", "[groups.c]").replace("left=", "new="))
        fleet.process.send_signal(signal.SIGHUP)
        fleet.await_streams(["new"], WAIT_S)
        fleet.await_groups(lambda groups: set(groups) == {"b", "c"}, WAIT_S)
        assert "stream_removed" in fleet.events("left")

        others += descendants(fleet.process.pid)
        code, _ = fleet.end()
        assert code == 0
        deadline_s = time.monotonic() + END_S
        while left := [process for process in others if Path(f"/proc/{process}").exists()]:
            assert time.monotonic() < deadline_s, left
            time.sleep(0.05)
        assert not folder.exists()
    finally:
        fleet.close()


def _belongs_to(folder: Path, process: int) -> bool:
    """True for the folder that a process holds open."""
    links = [Path(f"/proc/{process}/fd") / name for name in os.listdir(f"/proc/{process}/fd")]  # noqa: PTH208
    return any(link.exists() and link.readlink() == folder for link in links)


def test_without_ray_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "fleet.toml"
    settings.write_text(TWO)
    monkeypatch.setattr("streamaffect.fleet.cluster.find_spec", lambda _: None)
    assert main(["fleet", "--config", str(settings)]) == 2
    assert capfd.readouterr().err == "streamaffect: streamaffect fleet needs Ray: pip install 'streamaffect[ray]'\n"


@needs_ray
def test_a_cluster_of_others_is_joined_with_a_token_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "fleet.toml"
    settings.write_text(TWO)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, "")  # so that what the command sets is put back
    words = ["fleet", "--config", str(settings), "--bind", f"tcp://127.0.0.1:{free_port()}", "--address", "127.0.0.1:1"]
    assert main(words) == 2
    assert "127.0.0.1:1: a fleet joins with a token alone" in capfd.readouterr().err
