"""Lab Streaming Layer, as a recorder in another process finds and reads it."""

import json
import math
import time
import uuid
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from streamaffect.messages import Estimate, HeadMeta, Voice
from streamaffect.settings import LslSettings
from tests.support.outlets.live import estimate, event, meta, now_ns, running
from tests.support.outlets.processes import Process
from tests.support.recordings import VOICE

pytest.importorskip("pylsl", exc_type=ImportError)

from streamaffect.sinks.outlets.lsl.outlet import LslOutlet

WITHIN_NS = 2_000_000


def voice(stream: str, **changes: Any) -> Voice:
    return msgspec.structs.replace(VOICE, stream=stream, t_capture_ns=now_ns(), pts_s=None, **changes)


def is_marker(text: str) -> Any:
    return lambda line: line.get("values") == [text]


def samples(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line for line in lines if line.get("name") == name and "values" in line]


def test_a_recorder_finds_every_place_and_reads_values_and_markers_at_their_capture_times() -> None:
    stream = f"cam-{uuid.uuid4().hex[:8]}"
    with running(LslOutlet(LslSettings(enabled=True, slots=2))) as sink:
        sink.put(meta(stream))
        with Process("lsl_reader", f"streamaffect {stream}", "3") as recorder:
            described = {
                line["name"]: line for line in recorder.json_until(lambda line: "ready" in line)[:-1]
            } | _first(recorder)
            sent: list[Estimate] = []
            for number in range(40):
                sent.append(estimate(stream, track=5, valence=number / 100))
                sink.put(sent[-1])
                sink.put(estimate(stream, track=6, status="held"))
                time.sleep(0.01)
            sink.put(event("track_lost", stream, track=5))
            lines = recorder.json_until(is_marker("track_lost:5"))
            while len({line["name"] for line in lines if sent[-1].t_capture_ns - line["t_ns"] < WITHIN_NS}) < 3:
                lines += recorder.json_until(lambda _: True)
    face = described[f"streamaffect {stream} face 1"]
    assert (face["type"], face["rate"], face["model"]) == ("Affect", 0.0, "default@1.0")
    assert {"valence", "valence_low", "arousal_high", "status", "face_id", "emotions_happiness"} <= {*face["labels"]}
    assert face["units"][face["labels"].index("status")] == "code"
    assert described[f"streamaffect {stream} markers"]["type"] == "Markers"
    got = samples(lines, face["name"])
    column = face["labels"].index("valence")
    assert len(got) > 20  # the first ones may have gone out before the recorder was there
    expected = sent[-len(got) :]
    assert [line["values"][column] for line in got] == [one.valence for one in expected]
    off_ns = [abs(line["t_ns"] - one.t_capture_ns) for line, one in zip(got, expected, strict=True)]
    # A machine that is busy reads two clocks apart, now and then.
    assert sorted(off_ns)[len(off_ns) // 2] < WITHIN_NS
    assert {line["values"][face["labels"].index("status")] for line in samples(lines, face["name"][:-1] + "2")} == {2}


def test_at_a_fixed_rate_a_place_without_a_face_says_so_as_often_as_one_with_a_face() -> None:
    stream = f"cam-{uuid.uuid4().hex[:8]}"
    with running(LslOutlet(LslSettings(enabled=True, slots=2, rate=50.0))) as sink:
        sink.put(meta(stream))
        with Process("lsl_reader", f"streamaffect {stream}", "3") as recorder:
            described = _first(recorder) | {
                line["name"]: line for line in recorder.json_until(lambda line: "ready" in line)[:-1]
            }
            face = described[f"streamaffect {stream} face 1"]
            until_s = time.monotonic() + 1.5
            while time.monotonic() < until_s:
                sink.put(estimate(stream, track=5))
                time.sleep(0.02)
            lines: list[dict[str, Any]] = []
            while min(len(samples(lines, f"streamaffect {stream} face {slot}")) for slot in (1, 2)) < 50:
                lines += recorder.json_until(lambda _: True)
    assert face["rate"] == 50.0
    at = face["labels"].index("valence")
    one, two = (samples(lines, f"streamaffect {stream} face {slot}") for slot in (1, 2))
    assert {line["values"][at] for line in one[:40]} == {0.31}
    assert all(math.isnan(value) for line in two for value in line["values"])
    steps_s = [(after["t_ns"] - before["t_ns"]) / 1e9 for before, after in pairwise(one)]
    assert sorted(steps_s)[len(steps_s) // 2] == pytest.approx(0.02, abs=0.002)


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_voice_has_an_outlet_of_its_own_whosever_it_is(is_declared: bool) -> None:
    stream = f"cam-{uuid.uuid4().hex[:8]}"
    said = meta(stream)
    declared = HeadMeta(name="voice", kind="voice", outputs=[{"name": "activity"}, {"name": "arousal"}])
    with running(LslOutlet(LslSettings(enabled=True, slots=1))) as sink:
        sink.put(msgspec.structs.replace(said, heads=[*said.heads, declared]) if is_declared else said)
        if not is_declared:  # of an older recording: there from the first word on
            sink.put(voice(stream))
        with Process("lsl_reader", f"streamaffect {stream}", "3") as recorder:
            described = _first(recorder) | {
                line["name"]: line for line in recorder.json_until(lambda line: "ready" in line)[:-1]
            }
            sent = [
                voice(stream, state="quiet", arousal=None, arousal_interval=None, track=None),
                voice(stream, track=7),
            ]
            for one in sent:
                sink.put(one)
            lines: list[dict[str, Any]] = []
            while len(samples(lines, f"streamaffect {stream} voice")) < 2:
                lines += recorder.json_until(lambda _: True)
    found = described[f"streamaffect {stream} voice"]
    assert (found["type"], found["rate"], found["model"]) == ("Voice", 0.0, "default@1.0")
    assert found["labels"] == ["state", "activity", "arousal", "arousal_low", "arousal_high", "face_id"]
    columns = set(described[f"streamaffect {stream} face 1"]["labels"])
    assert {"voice_activity", "voice_arousal"} & columns == (
        {"voice_activity", "voice_arousal"} if is_declared else set()
    )
    quiet, heard = samples(lines, f"streamaffect {stream} voice")[-2:]
    assert quiet["values"][0] == 1 and all(math.isnan(value) for value in quiet["values"][2:])
    assert heard["values"] == [0, 0.8, 0.25, -0.3, 0.8, 7]
    assert abs(heard["t_ns"] - sent[1].t_capture_ns) < 100 * WITHIN_NS


def test_a_recording_of_a_minute_ago_or_a_second_is_laid_down_now_and_keeps_its_pace() -> None:
    stream = f"cam-{uuid.uuid4().hex[:8]}"
    before_ns = now_ns() - 5_000_000_000
    with running(LslOutlet(LslSettings(enabled=True, slots=1, rate=20.0), replays=True)) as sink:
        sink.put(meta(stream))
        with Process("lsl_reader", f"streamaffect {stream}", "2") as recorder:
            recorder.json_until(lambda line: "ready" in line)
            begun_ns = now_ns()
            for number in range(40):
                sink.put(estimate(stream, t_capture_ns=before_ns + number * 50_000_000, valence=number / 100))
                time.sleep(0.05)
            lines = recorder.json_until(lambda line: line.get("values", [0.0] * 4)[3] >= 0.35)
    valences = [line["values"][3] for line in samples(lines, f"streamaffect {stream} face 1")]
    assert sum(math.isnan(valence) for valence in valences) < len(valences) / 4
    assert all(line["t_ns"] > begun_ns - 500_000_000 for line in lines)


def _first(recorder: Process) -> dict[str, dict[str, Any]]:
    line = json.loads(recorder.first)
    return {line["name"]: line}
