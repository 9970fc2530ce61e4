"""The bench verb measures the real pipeline on the demo clip."""

from pathlib import Path

import pytest

from streamaffect.cli import main
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.verbs.bench import offline_cost
from tests.support.bundles import write_bundle


def test_the_cost_of_a_file_covers_every_frame(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "bundle"))
    cost = offline_cost(DEMO_CLIP, bundle, OnnxRuntimeEngine(bundle), repeats=1)
    assert cost.frames == 250
    assert min(cost.whole_ms, cost.decode_ms, cost.detector_ms, cost.engine_ms) > 0
    assert cost.frames_per_second == pytest.approx(1000 / cost.whole_ms)


def test_the_verb_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(write_bundle(tmp_path / "bundle"))
    assert main(["bench", "--bundle", bundle, "--engine", "onnxruntime", "--max-streams", "0"]) == 0
    out = capsys.readouterr().out
    assert "colours@1.0 on onnxruntime" in out
    assert "frames/s" in out
