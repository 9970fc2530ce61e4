"""The real TensorRT builder in tests: bundles go to a process of their own, what it says of each graph comes back."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engines.rtx_bindings import bindings_environment
from streamaffect.errors import EngineError
from streamaffect.runtime.engine_cache import cache_folder

ROOT = Path(__file__).parents[3]
LIMIT_S = 110


def builder_environment() -> dict[str, str]:
    """That of a process with the builder; skips the test where its packages are not installed, and says which."""
    try:
        return bindings_environment(cache_folder())
    except EngineError as error:
        pytest.skip(str(error))


def build_all(*bundles: Path, precisions: Sequence[str] = ("fp32", "fp16", "int8")) -> list[dict[str, Any]]:
    """What the builder says of every graph of these bundles in these precisions."""
    words = [*map(str, bundles), "--precisions", *precisions]
    command = [sys.executable, "-m", "tests.support.gpu.plan_builder", *words]
    child = subprocess.run(
        command, cwd=ROOT, env=builder_environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return [json.loads(line) for line in child.stdout.splitlines()]


def assert_tensorrt_takes(bundle: Path, *, quantised: bool = True, beside: Sequence[str] = ()) -> None:
    """Every graph that the stream runs becomes a plan in every precision, and those beside it are parsed.

    quantised: whether the frame encoder has convolutions, without which int8 is refused
    beside:    roles of the other graphs
    """
    told = build_all(bundle)
    refused = {(one["role"], one.get("precision")): one["error"] for one in told if one.get("error")}
    if not quantised:
        assert "has no convolution, so int8 gains nothing" in refused.pop(("frame_encoder", "int8"))
    assert refused == {}
    plans = {(one["role"], one["precision"]): one for one in told if "bytes" in one}
    assert len(plans) == 9 - (not quantised)
    assert all(plan["bytes"] > 0 for plan in plans.values())
    assert {one["role"] for one in told if "precision" not in one} == set(beside)
    assert set(plans["frame_encoder", "fp32"]["products"]) <= {"FLOAT"}
    assert set(plans["frame_encoder", "fp16"]["products"]) <= {"HALF"}
    assert set(plans["clip_encoder", "fp16"]["products"]) <= {"HALF"}
    assert set(plans["context_head", "fp16"]["products"]) <= {"FLOAT"}
    assert not quantised or plans["frame_encoder", "int8"]["quantised"] > 0
    (crops,) = plans["frame_encoder", "fp32"]["shapes"].values()
    assert [shape[0] for shape in crops] == [1, 2, 4]
