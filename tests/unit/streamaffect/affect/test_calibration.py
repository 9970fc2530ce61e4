"""From the heads' rows to named values and conformal intervals, each number by hand."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from streamaffect.affect.calibration import Affect, read_heads
from streamaffect.runtime.manifest import Calibration, HeadSpec, Manifest, OutputSpec
from streamaffect.types import FloatArray


def row(*values: float) -> FloatArray:
    return np.array(values, np.float32)


def head(
    name: str, outputs: Sequence[str], *, kind: str = "regression", calibration: Calibration | None = None
) -> HeadSpec:
    limits = (0.0, 1.0) if kind == "classification" else (-1.0, 1.0)
    specs = [OutputSpec(output, limits) for output in outputs]
    return msgspec.convert({"name": name, "kind": kind, "outputs": specs, "calibration": calibration}, HeadSpec)


def conformal(valence: float = 2.0, arousal: float = 1.0) -> Calibration:
    return Calibration("normalised-conformal", 0.9, "spread", {"valence": valence, "arousal": arousal})


def manifest(*heads: HeadSpec) -> Manifest:
    return msgspec.convert(
        {
            "schema": 1,
            "name": "n",
            "version": "1",
            "licence": "",
            "created": "",
            "crop": {"size": 32, "margin": 0, "align": "none"},
            "clip": {"frames": 1, "period_s": 1},
            "context": {"past": 0, "future": 0},
            "heads": list(heads),
            "graphs": {},
            "training": {"recipe": "", "data": [], "commit": "", "seed": 0},
        },
        Manifest,
    )


CALIBRATED = manifest(
    head("affect", ["valence", "arousal"], calibration=conformal()), head("spread", ["valence", "arousal"])
)


def test_an_interval_is_the_value_plus_and_minus_quantile_times_spread() -> None:
    affect = read_heads(CALIBRATED, {"affect": row(0.25, -0.5), "spread": row(0.125, 0.25)})
    assert (affect.valence, affect.arousal) == (0.25, -0.5)
    assert affect.valence_interval == (0.0, 0.5)
    assert affect.arousal_interval == (-0.75, -0.25)


def test_the_head_of_spreads_is_not_published() -> None:
    assert read_heads(CALIBRATED, {"affect": row(0, 0), "spread": row(1, 1)}).outputs == {}


def test_stills_have_quantiles_of_their_own_where_the_bundle_gives_them() -> None:
    rows = {"affect": row(0, 0), "spread": row(0.125, 0.25)}
    [affect, spread] = CALIBRATED.heads
    assert affect.calibration is not None
    own = msgspec.structs.replace(affect.calibration, still_quantiles={"valence": 1.0, "arousal": 2.0})
    bundle = msgspec.structs.replace(CALIBRATED, heads=[msgspec.structs.replace(affect, calibration=own), spread])
    assert read_heads(bundle, rows, of="still").valence_interval == (-0.125, 0.125)
    assert read_heads(bundle, rows) == read_heads(CALIBRATED, rows) == read_heads(CALIBRATED, rows, of="still")


def test_values_and_intervals_stay_within_the_declared_range() -> None:
    affect = read_heads(CALIBRATED, {"affect": row(1.5, -0.75), "spread": row(0.125, 0.5)})
    assert affect.valence == 1.0
    assert affect.valence_interval == (1.0, 1.0)
    assert affect.arousal_interval == (-1.0, -0.25)


def test_a_negative_spread_counts_as_none() -> None:
    affect = read_heads(CALIBRATED, {"affect": row(0.5, 0.0), "spread": row(-3.0, 0.0)})
    assert affect.valence_interval == (0.5, 0.5)


def test_spreads_are_matched_by_name_and_not_by_position() -> None:
    swapped = manifest(
        head("affect", ["valence", "arousal"], calibration=conformal(1.0, 1.0)), head("spread", ["arousal", "valence"])
    )
    affect = read_heads(swapped, {"affect": row(0.0, 0.0), "spread": row(0.25, 0.5)})
    assert affect.valence_interval == (-0.5, 0.5)
    assert affect.arousal_interval == (-0.25, 0.25)


def test_values_are_found_by_name_and_not_by_position() -> None:
    affect = read_heads(manifest(head("affect", ["arousal", "valence"])), {"affect": row(0.25, -0.5)})
    assert (affect.valence, affect.arousal) == (-0.5, 0.25)


def test_without_calibration_there_is_no_interval() -> None:
    affect = read_heads(manifest(head("affect", ["valence", "arousal"])), {"affect": row(0.5, 0.5)})
    assert affect.valence_interval is None
    assert affect.arousal_interval is None


def test_a_bundle_may_know_only_one_of_the_two() -> None:
    affect = read_heads(manifest(head("affect", ["valence"])), {"affect": row(0.5)})
    assert affect == Affect(valence=0.5)


def test_further_heads_come_by_name_and_in_range() -> None:
    spec = manifest(head("emotions", ["happiness", "anger"], kind="classification"))
    affect = read_heads(spec, {"emotions": row(1.0000001, -0.0000001)})
    assert affect.outputs == {"emotions": {"happiness": 1.0, "anger": 0.0}}
    assert affect.valence is None


def test_further_outputs_of_the_affect_head_stand_under_its_name() -> None:
    affect = read_heads(manifest(head("affect", ["valence", "arousal", "dominance"])), {"affect": row(0, 0, 0.5)})
    assert affect.outputs == {"affect": {"dominance": 0.5}}


def test_a_class_called_valence_is_not_the_valence() -> None:
    affect = read_heads(manifest(head("topics", ["valence"], kind="classification")), {"topics": row(0.5)})
    assert affect.valence is None
    assert affect.outputs == {"topics": {"valence": 0.5}}


def test_a_head_that_the_engine_does_not_run_is_left_out() -> None:
    spec = manifest(head("affect", ["valence", "arousal"]), head("per_frame", ["gaze"]))
    assert read_heads(spec, {"affect": row(0, 0)}).outputs == {}


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_of_another_length_than_declared_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        read_heads(manifest(head("affect", ["valence", "arousal"])), {"affect": np.zeros(count, np.float32)})
