"""The tables of the README come from the benchmarks' JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.render import DOCUMENTS, RESULTS, fill, to_markdown

MACHINE = {"cpu": "A CPU", "cores": 2, "memory_gb": 8, "system": "Linux x86_64", "python": "3.11.7"}


def benchmark(*rows: dict[str, object]) -> dict[str, Any]:
    return {
        "benchmark": "latency",
        "machine": MACHINE,
        "versions": {"numpy": "2.4.6"},
        "command": "python benchmarks/latency.py",
        "results": list(rows),
    }


def test_rows_with_the_same_columns_share_a_table_and_others_start_a_new_one() -> None:
    rows = [{"stage": "faces", "p50 ms": 3.1415}, {"stage": "total", "p50 ms": 11.0}, {"stage": "frames", "value": 700}]
    assert to_markdown(benchmark(*rows)).splitlines() == [
        "| stage | p50 ms |",
        "| --- | ---: |",
        "| faces | 3.14 |",
        "| total | 11 |",
        "",
        "| stage | value |",
        "| --- | ---: |",
        "| frames | 700 |",
        "",
        "`python benchmarks/latency.py` on A CPU, 2 cores, Linux x86_64, Python 3.11.7; numpy 2.4.6.",
    ]


def test_a_table_has_large_numbers_in_full_and_a_dash_for_what_was_not_measured() -> None:
    table = to_markdown(benchmark({"what": "a|b", "value": 1234.5, "other": None}))
    assert "| a\\|b | 1234.5 | – |" in table


def test_filling_again_changes_nothing_and_the_text_around_stays(tmp_path: Path) -> None:
    (tmp_path / "latency.json").write_text(json.dumps(benchmark({"stage": "total", "p50 ms": 11.0})))
    text = "before\n<!-- benchmark: latency -->\nold\n<!-- end -->\nafter\n"
    filled = fill(text, tmp_path)
    assert filled.startswith("before\n<!-- benchmark: latency -->\n| stage | p50 ms |")
    assert filled.endswith("\n<!-- end -->\nafter\n")
    assert "old" not in filled
    assert fill(filled, tmp_path) == filled


def test_a_block_without_results_is_left_alone(tmp_path: Path) -> None:
    text = "<!-- benchmark: memory -->\nas it was\n<!-- end -->\n"
    assert fill(text, tmp_path) == text


def test_a_block_can_show_a_part_of_the_rows(tmp_path: Path) -> None:
    rows = [{"stage": "faces", "p50 ms": 3.0}, {"stage": "clip", "p50 ms": 1.0}, {"stage": "total", "p50 ms": 11.0}]
    (tmp_path / "latency.json").write_text(json.dumps(benchmark(*rows)))
    filled = fill("<!-- benchmark: latency | faces | tot -->\nold\n<!-- end -->\n", tmp_path)
    assert filled.startswith("<!-- benchmark: latency | faces | tot -->\n| stage | p50 ms |")
    assert [line.split()[1] for line in filled.splitlines()[3:5]] == ["faces", "total"]
    assert "clip" not in filled


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_published_tables_are_those_of_the_committed_results(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert fill(text, RESULTS) == text, "python benchmarks/render.py"
