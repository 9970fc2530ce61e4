import re

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from streamaffect.messages import Estimate, HeadMeta, Meta
from streamaffect.sinks.display.dashboard import render
from streamaffect.sinks.display.state import DisplayState
from streamaffect.text.regions import region_shares, regions_in_words
from tests.support.feeder import Feeder

UNITS = HeadMeta(
    name="units",
    kind="units",
    outputs=[{"name": "AU12", "label": "lip corner puller"}, {"name": "AU25", "label": "lips part"}],
    lens="units@1.0",
)
MAP = HeadMeta(name="map", kind="map", outputs=[], lens="map@1.0")
SCORES = HeadMeta(name="mine", kind="scores", outputs=[{"name": "calm"}, {"name": "bored"}], lens="mine@1.0")
PROMPTS = HeadMeta(
    name="prompts",
    kind="prompts",
    outputs=[{"name": "she is beaming"}, {"name": "in tears"}, {"name": "a zebra", "understood": False}],
    lens="phrase-bank@1",
)
MOMENTS = HeadMeta(
    name="moments",
    kind="moments",
    outputs=[{"name": f"ago_{i}", "label": f"{i} to {i + 1} s ago"} for i in range(5)],
    lens="moments@1.0",
)
SAID = {
    "units": {"AU12": 0.82, "AU25": 0.05},
    "map": {"y5x3": 1.0, "y5x4": 1.0, "y2x1": 0.5},
    "mine": {"calm": 0.2, "bored": 0.7},
    "prompts": {"she is beaming": 0.1, "in tears": 0.9},
    "moments": {"ago_0": 0.05, "ago_1": 0.9, "ago_2": 0.05, "ago_3": 0.0, "ago_4": 0.0},
}


def picture(
    *lenses: HeadMeta,
    faces: int = 1,
    width: int = 100,
    height: int = 32,
    said: dict[str, dict[str, float]] | None = None,
    intervals: dict[str, dict[str, tuple[float, float]]] | UnsetType = UNSET,
) -> str:
    added = (SAID if lenses else {}) if said is None else said
    state = DisplayState()
    for _, message in Feeder(faces=faces).messages(1.0):
        changed = message
        if isinstance(message, Meta):
            changed = msgspec.structs.replace(message, heads=[*message.heads, *lenses])
        elif isinstance(message, Estimate):
            changed = msgspec.structs.replace(message, outputs=message.outputs | added, output_intervals=intervals)
        state.update(changed, 0)
    lines = render(state, width, height, 0).lines
    assert len(lines) == height
    return "\n".join("".join(segment.text for segment in line) for line in lines)


def test_units_stand_in_words_the_strong_ones_alone() -> None:
    shown = picture(UNITS)
    assert "units      12 lip corner puller ━━━━━●─ 0.82" in shown
    assert "lips part" not in shown


def test_a_map_stands_in_regions() -> None:
    assert "map        mouth 80 %, left eye and brow 20 %" in picture(UNITS, MAP)


def test_a_mesh_shows_head_and_eyes_before_the_movements_that_are_there() -> None:
    meta = HeadMeta(
        name="mesh", kind="mesh", outputs=[{"name": "yaw", "range": [-180, 180]}], lens="face_landmarker_v2"
    )
    said = {"mesh": {"_neutral": 0.9, "cheekPuff": 0.01, "jawOpen": 0.41, "yaw": -12.2, "left_eye_open": 0.31}}
    shown = picture(meta, said=said, width=140)
    assert [shown.index(name) for name in ("yaw", "left_eye_open", "jawOpen")] == sorted(
        shown.index(name) for name in ("yaw", "left_eye_open", "jawOpen")
    )
    assert "12.20" in shown
    assert "cheekPuff" not in shown


@pytest.mark.parametrize(("ago_s", "is_shown"), [(0.5, True), (0.7, False)])
def test_what_a_lens_with_a_rate_has_said_stays_for_a_moment(ago_s: float, is_shown: bool) -> None:
    state = DisplayState()
    said = {"mesh": {"jawOpen": 0.41}}
    estimate = next(message for _, message in Feeder().messages(0.1) if isinstance(message, Estimate))
    state.update(msgspec.structs.replace(estimate, outputs=said), 0)
    later = msgspec.structs.replace(
        estimate, seq=estimate.seq + 1, t_capture_ns=estimate.t_capture_ns + round(ago_s * 1e9), outputs={}
    )
    state.update(later, 0)
    (face,) = state.faces.values()
    assert face.values("mesh") == (said["mesh"] if is_shown else None)


def test_a_lens_without_a_form_of_its_own_shows_names_scales_and_numbers() -> None:
    assert "mine       calm ━●───── 0.20  bored ━━━━●── 0.70" in picture(SCORES)


def test_an_interval_is_the_heavy_stroke_and_a_range_is_as_declared() -> None:
    meta = HeadMeta(name="mine", kind="", outputs=[{"name": "pulse", "range": [40, 200]}], lens="mine@1.0")
    said = {"mine": {"pulse": 120.0}}
    shown = picture(meta, said=said, intervals={"mine": {"pulse": (100.0, 130.0)}}, width=140)
    assert "pulse ──╼●─── 120.00" in shown


def test_what_nobody_declares_is_shown_too_and_signed_where_it_may_be_negative() -> None:
    shown = picture(said={"voice": {"activity": 0.5, "arousal": 0.25}, "strange": {"thing": 17.0}})
    assert "voice      activity ━━━●─── 0.50  arousal    ┝●   +0.25" in shown
    assert "strange    thing +17.00" in shown


def test_of_fifty_values_the_largest_are_shown_and_the_rest_is_counted() -> None:
    shown = picture(said={"many": {f"v{i}": i / 50 for i in range(50)}}, width=80, height=24)
    row = next(line for line in shown.split("\n") if " many" in line)
    assert "v49 ━━━━━━● 0.98" in row
    assert re.search(r"\+4\d *$", row)


def test_outputs_without_room_are_named() -> None:
    shown = picture(UNITS, said={f"lens{i}": {"a": 0.5} for i in range(9)}, height=24, width=80)
    assert re.search(r"\+\d more in a higher terminal: .*lens8", shown)


def test_a_sentence_has_two_lines_above_the_outputs_from_its_first_one_on() -> None:
    state = DisplayState()
    long = "Raised brows and a smile; looks happy, quite sure; voice calm; words: “Well then, that is that.”"
    for _, message in Feeder(faces=1).messages(1.0):
        described = message
        if isinstance(message, Estimate) and message.seq == 5:
            described = msgspec.structs.replace(message, description=long, outputs=message.outputs | SAID)
        state.update(described, 0)
    lines = ["".join(segment.text for segment in line) for line in render(state, 80, 24, 0).lines]
    (first,) = [i for i, line in enumerate(lines) if line.startswith(" 1      Raised brows and a smile;")]
    assert lines[first + 1].strip().endswith("that is that.”")
    assert lines[first + 2].strip().startswith("units")


def test_prompts_stand_in_the_users_order_with_those_that_were_not_understood() -> None:
    (shown,) = [one for one in picture(PROMPTS).splitlines() if "prompts" in one]
    assert shown.index("she is beaming") < shown.index("in tears") < shown.index("not understood: a zebra")


def test_moments_stand_oldest_first_under_the_sparkline_with_the_one_that_counts_most() -> None:
    assert "moments    then ▁▁▁▁▁▁██▁▁ now  most: 1 to 2 s ago, 90 %" in picture(MOMENTS)


def test_a_stream_without_lenses_looks_as_it_did() -> None:
    assert "lip corner" not in picture()


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
def test_any_terminal_is_filled_exactly(size: tuple[int, int]) -> None:
    width, height = size
    lines = picture(UNITS, MAP, MOMENTS, SCORES, faces=5, width=width, height=height).split("\n")
    assert {len(line) for line in lines} == {width}


def test_regions_are_shares_of_the_maps_sum_and_a_flat_map_is_nowhere() -> None:
    assert region_shares({}) == {}
    assert regions_in_words({"y0x0": 0.0}) == "nowhere in particular"
    assert region_shares({"y7x0": 3.0, "y5x3": 1.0}) == pytest.approx({"chin": 0.75, "mouth": 0.25} | _others())


def _others() -> dict[str, float]:
    from streamaffect.text.regions import REGIONS

    return dict.fromkeys(REGIONS, 0.0) | {"chin": 0.75, "mouth": 0.25}
