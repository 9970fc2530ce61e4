"""`benchmarks/soak.py`: its figures by hand, and half a minute of it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks.measures.soak.curve import write_curve
from benchmarks.measures.soak.minutes import Seen, drift_ms, memory_slope_mb_h, minutes_of
from benchmarks.measures.soak.process import ProcessState, look_at

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def seen() -> Seen:
    """Three minutes: 10 estimates a second, none while the camera is away; 36 MB and 36 s of a core an hour."""
    absences = [(20.0, 25.0), (80.0, 85.0), (140.0, 145.0)]
    times = [at / 10 for at in range(1800) if not any(low <= at / 10 <= high + 1 for low, high in absences)]
    return Seen(
        arrivals=[(at_s, 20.0 if at_s < 120 else 30.0) for at_s in times],
        lost=[(float(at_s), 0 if at_s < 70 else 3) for at_s in range(180)],
        states=[ProcessState(float(at_s), 100 + at_s / 100, 17 + (at_s > 100), 20, at_s / 100) for at_s in range(180)],
        absences=absences,
    )


def test_each_minute_has_its_estimates_losses_and_the_time_until_the_camera_was_seen_again(seen: Seen) -> None:
    minutes = minutes_of(seen)
    assert [minute.lost for minute in minutes] == [0, 3, 0]
    assert [minute.estimates for minute in minutes] == [539, 539, 539]
    assert [minute.back_s for minute in minutes] == pytest.approx([1.1] * 3)
    assert [minute.p99_ms for minute in minutes] == [20.0, 20.0, 30.0]
    assert [minute.threads for minute in minutes] == [17, 18, 18]
    assert [minute.cpu_share for minute in minutes] == pytest.approx([0.01] * 3)


def test_slope_and_drift_are_those_of_the_run(seen: Seen) -> None:
    assert memory_slope_mb_h(seen.states) == pytest.approx(36.0)
    assert drift_ms(seen) == pytest.approx(10.0)


def test_a_minute_without_any_estimate_has_no_latency(seen: Seen) -> None:
    seen.arrivals.clear()
    assert {(minute.p99_ms, minute.back_s) for minute in minutes_of(seen)} == {(None, None)}


def test_the_curve_has_a_line_of_each_figure_and_the_absences(seen: Seen, tmp_path: Path) -> None:
    write_curve(tmp_path / "soak.svg", "a < b", seen, minutes_of(seen))
    drawn = ElementTree.parse(tmp_path / "soak.svg").getroot()
    assert len(drawn.findall(f"{SVG}polyline")) == 5
    assert len(drawn.findall(f"{SVG}rect")) == 1 + 4 * 3


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")
def test_a_process_is_seen_as_the_kernel_sees_it() -> None:
    with subprocess.Popen(["sleep", "30"]) as process:
        while (state := look_at(process.pid, 1.5)).memory_mb == 0:  # until the program has touched its first page
            assert process.poll() is None
        process.kill()
    assert (state.at_s, state.threads) == (1.5, 1)
    assert 0 < state.memory_mb < 100
    assert state.descriptors >= 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")
def test_half_a_minute_with_an_absence_loses_nothing_and_ends_well(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    words = [
        "--minutes",
        "0.55",
        "--warm-up",
        "0.2",
        "--away",
        "1",
        "--bind",
        f"ipc://{tmp_path}/feed",
        "--out",
        str(out),
    ]
    child = subprocess.run(
        [sys.executable, "benchmarks/soak.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    rows = {row["what"]: row["value"] for row in json.loads(out.read_text())["results"] if "what" in row}
    assert rows["camera away"] == 1
    assert rows["reconnects"] == 1 + rows["camera away in the warm-up"] > 1
    assert (rows["lost to the subscriber"], rows["missing in the recording"], rows["damaged lines"]) == (0, 0, 0)
    assert rows["estimates recorded"] >= rows["estimates received"] > 100
    assert out.with_suffix(".svg").exists()
