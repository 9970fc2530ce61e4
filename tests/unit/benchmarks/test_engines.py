"""The tables of docs/engines.md come from the reports that lie beside the engines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.engines.accuracy import side_by_side
from benchmarks.engines.tables import answer_rows, layer_rows, measured, time_rows
from engines.bench import REFERENCE
from engines.store import EngineStore
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine_record import VERIFY_FILE, Deviation, OutputCheck
from tests.support.bundles import write_bundle
from tests.support.gpu.engine_entries import make_key, publish, verified


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


def check(head: str, output: str, change: float | None) -> OutputCheck:
    return OutputCheck(head, output, Deviation(0.0123456, 0.001, 0.01), change)


def test_engines_are_measured_side_by_side_and_one_row_is_what_auto_takes(
    bundle: Bundle, private_engine_cache: Path
) -> None:
    verified(private_engine_cache, publish(private_engine_cache, make_key(bundle, precision="fp32")))
    publish(private_engine_cache, make_key(bundle, precision="int8"))  # not verified: not in the tables
    rows = time_rows(measured(bundle, seconds=0.01))
    assert [row["engine"] for row in rows] == [REFERENCE, "onnxruntime CPU fp32"]
    assert [row["auto"] for row in rows].count("takes it") == 1
    assert rows[0]["×"] == 1
    assert all(float(str(row["load, ms"])) > 0 for row in rows)


def test_without_verified_engines_there_is_one_clear_error(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"no verified engine .* engines build"):
        measured(bundle, seconds=0.01)


def test_answers_are_those_of_published_outputs_that_vary(bundle: Bundle, private_engine_cache: Path) -> None:
    engine = verified(private_engine_cache, publish(private_engine_cache, make_key(bundle)))
    assert engine.verify is not None
    outputs = [
        check("affect", "valence", 0.0004),
        check("affect", "arousal", None),  # hardly varies
        check("affect_spread", "valence", 0.1),  # serves as the spread of another head
    ]
    report = msgspec.structs.replace(engine.verify, outputs=outputs)
    engine = EngineStore(private_engine_cache).attach(engine, VERIFY_FILE, report)
    assert answer_rows([engine], bundle.manifest) == [
        {
            "engine": "onnxruntime CPU int8", "output": "affect.valence", "max Δ": 0.01235, "mean Δ": 0.001,
            "p99 Δ": 0.01, "CCC change": 0.0004, "steps": 10,
        }
    ]  # fmt: skip


def test_layers_are_counted_by_type_and_what_is_unknown_is_a_dash(bundle: Bundle, private_engine_cache: Path) -> None:
    engine = publish(private_engine_cache, make_key(bundle))
    record = msgspec.structs.replace(engine.record, layers={"frame_encoder": {"int8": 23, "bf16": 11}})
    (row,) = layer_rows([type(engine)(engine.folder, record, engine.sha256, None, None)])
    assert row == {
        "engine": "onnxruntime CPU int8", "frame encoder": "23 int8, 11 bf16", "clip encoder": "–", "heads": "–",
    }  # fmt: skip


def test_agreement_of_engines_stands_side_by_side_with_four_places() -> None:
    def rows(value: float) -> list[Mapping[str, Any]]:
        figures = ("CCC to the votes, valence", "half resolution: loss of CCC, valence")
        return [{"part": "FER+", "figure": figure, "value": value} for figure in figures]

    assert side_by_side({"a": rows(0.86171), "b": rows(0.8)}) == [
        {"part": "FER+", "figure": "CCC to the votes, valence", "a": "0.8617", "b": "0.8000"}
    ]
