"""Measuring: in turns, with the first call of a burst left out; reports and pictures of it."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from engines.bench import BURST, FEWEST_ROUNDS, FRAME, REFERENCE, make_report, measure, time_in_turns
from engines.reports.plot import write_plot
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.engine_record import Timing
from tests.support.bundles import write_bundle
from tests.support.gpu.engine_entries import make_key, publish


def test_engines_are_called_in_turns_and_warm() -> None:
    order: list[str] = []
    times = time_in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, seconds=0)
    assert "".join(order) == ("a" * (BURST + 1) + "b" * (BURST + 1)) * FEWEST_ROUNDS
    assert [len(values) for values in times.values()] == [BURST * FEWEST_ROUNDS] * 2


def test_every_graph_is_measured_at_every_batch_size_and_thread_count(
    tmp_path: Path, private_engine_cache: Path
) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "bundle"))
    engine = publish(private_engine_cache, make_key(bundle))
    timings = measure(bundle, [engine], batches=[1, 3], threads=[1, 2], seconds=0)
    graphs = [(role, batch) for role in ("frame_encoder", "clip_encoder", "context_head") for batch in (1, 3)]
    expected = [(role, batch, threads) for threads in (1, 2) for role, batch in [(FRAME, 1), *graphs]]
    for rows in timings.values():
        assert [(row.role, row.batch, row.threads) for row in rows] == expected
        assert all(0 < row.p50_ms <= row.p95_ms <= row.p99_ms for row in rows)


def test_the_speedup_is_that_of_processor_time_on_one_thread(tmp_path: Path, private_engine_cache: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "bundle"))
    engine = publish(private_engine_cache, make_key(bundle))
    timings = {
        REFERENCE: [Timing(FRAME, 1, 1, 9, 16, 20, 24, 6.0), Timing(FRAME, 1, 2, 9, 1, 2, 3, 1.0)],
        engine.folder.name: [Timing(FRAME, 1, 1, 9, 12, 15, 18, 2.0), Timing(FRAME, 1, 2, 9, 1, 2, 3, 1.0)],
    }
    assert make_report(engine, timings, cold=None).speedup == 3.0


def test_the_speedup_of_a_gpu_is_that_of_the_time_that_passes(tmp_path: Path, private_engine_cache: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "bundle"))
    engine = publish(private_engine_cache, make_key(bundle, provider="CUDA"))
    timings = {
        REFERENCE: [Timing(FRAME, 1, 1, 9, 16, 20, 24, 6.0)],
        engine.folder.name: [Timing(FRAME, 1, 1, 9, 0.5, 1, 2, 0.1)],
    }
    assert make_report(engine, timings, cold=None).speedup == 12.0


def test_a_timing_gives_rows_per_second() -> None:
    assert Timing("frame_encoder", 4, 1, 10, 2.0, 3.0, 4.0, 2.0).per_second == 2000


def test_the_plot_is_svg_with_a_bar_for_each_engine(tmp_path: Path) -> None:
    timings = {name: [Timing("frame", 1, 1, 10, 2.0, 3.0, 4.0, 2.0)] for name in ("a <b>", "c")}
    write_plot(tmp_path / "times.svg", "model & co", timings)
    root = ET.parse(tmp_path / "times.svg").getroot()
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a <b>", "c"]


def test_a_plot_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    timings = {"a": [Timing("frame", 1, 1, 10, 2.0, 3.0, 4.0, 2.0)]}
    with pytest.raises(EngineError, match="cannot be written"):
        write_plot(tmp_path / "missing" / "times.svg", "model", timings)
