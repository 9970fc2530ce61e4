"""Lenses on the shipped bundle: they add to what the stream says, and change nothing of it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from streamaffect import Event, Votes, analyze, analyze_image, load_bundle, video_votes
from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.cli import main
from streamaffect.lenses.finding import lens_folders, open_lenses
from streamaffect.lenses.graph import GraphLens
from streamaffect.lenses.view import View
from streamaffect.messages import Estimate
from streamaffect.recordings.reading import read_recording
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants.files import read_graphs
from streamaffect.runtime.variants.probe import read_probe
from streamaffect.types import FloatArray

DEMO = Path(__file__).parents[3] / "streamaffect" / "assets" / "demo.mp4"
SECONDS = {"max_seconds": 1.5}
EXACT = {"backend": "onnxruntime", "precision": "fp32"}  # what a trial of int8 finds is not the same in every test
LENSES = sorted(lens.name for lens in open_lenses(["all"], load_bundle()))
EVERY = sorted({*LENSES, *lens_folders(load_bundle())})


def estimates(lenses: Sequence[str] = ()) -> list[Estimate]:
    return list(analyze(DEMO, engine=EXACT, lenses=lenses, run=SECONDS))


@pytest.fixture(scope="module")
def bare() -> list[Estimate]:
    return estimates()


@pytest.fixture(scope="module")
def seen() -> list[Estimate]:
    return estimates(["all"])


def without(estimate: Estimate, lenses: Sequence[str]) -> Estimate:
    outputs = {name: values for name, values in estimate.outputs.items() if name not in lenses}
    return msgspec.structs.replace(estimate, outputs=outputs, output_intervals=msgspec.UNSET, square=msgspec.UNSET)


def test_what_the_bundle_says_is_bit_equal_with_and_without_lenses(bare: list[Estimate], seen: list[Estimate]) -> None:
    assert len(bare) > 20
    assert all(set(LENSES) <= set(estimate.outputs) for estimate in seen if estimate.status in ("ok", "warming"))
    assert [without(estimate, LENSES) for estimate in seen] == bare


def test_without_lenses_a_message_has_the_fields_that_it_always_had(bare: list[Estimate]) -> None:
    assert b"output_intervals" not in msgspec.json.encode(bare[0])


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_alone_says_what_it_says_beside_others_and_again(name: str, seen: list[Estimate]) -> None:
    """Offline it is the same at every step, whatever else runs: what streams is what is analysed."""
    alone = estimates([name])
    assert [one.outputs.get(name) for one in alone] == [one.outputs.get(name) for one in seen]


@pytest.mark.parametrize("name", sorted({*EVERY} - {"moments"}))
def test_streaming_equals_the_graphs_on_all_crops_at_once(name: str) -> None:
    """A lens says in the stream what its graph says of the whole batch, with the emotions that are published."""
    bundle = load_bundle()
    (lens,) = open_lenses([name], bundle)
    crops = np.random.default_rng(3).integers(0, 256, (6, 64, 64, 3), np.uint8)
    engine, part = OnnxRuntimeEngine(bundle), GraphLens(lens)
    estimator = Estimator(bundle, engine, [part])
    steps = [estimator.step([Observation(("cam", 0), 0.08 * i, crop)]).predictions[0] for i, crop in enumerate(crops)]
    features, maps = engine.encode_frames_and_map(crops)
    at_once = part.look(
        [
            View(("cam", 0), 0.0, {"features": features[i], "map": maps[i], "emotions": step.heads["emotions"]})
            for i, step in enumerate(steps)
        ]
    )
    for step, expected in zip(steps, at_once, strict=True):
        assert expected is not None
        assert step.lenses[name].values == pytest.approx(expected.values, abs=1e-4)


def test_which_moments_counted_is_what_the_graph_says_of_the_clips_of_the_whole_recording() -> None:
    bundle, engine = load_bundle(), OnnxRuntimeEngine(load_bundle())
    (lens,) = open_lenses(["moments"], bundle)
    part, clip, count = GraphLens(lens), bundle.manifest.clip, bundle.manifest.context.clips
    crops = np.random.default_rng(5).integers(0, 256, (count * clip.frames, 64, 64, 3), np.uint8)
    clips = engine.encode_clips(engine.encode_frames(crops).reshape(count, clip.frames, -1))
    estimator = Estimator(bundle, engine, [part])
    said = [
        estimator.step([Observation(("cam", 0), clip.period_s * i, crop)]).predictions[0].lenses
        for i, crop in enumerate(crops)
    ]
    (expected,) = part.look([View(("cam", 0), 0.0, {"context": clips, "valid": np.ones(count, np.bool_)})])
    assert expected is not None
    assert said[-1]["moments"].values == pytest.approx(expected.values, abs=1e-4)
    assert said[0]["moments"].values["ago_0_0s"] == pytest.approx(1.0, abs=1e-5)  # nothing came before


def test_a_still_has_them_too() -> None:
    capture = cv2.VideoCapture(str(DEMO))
    picture = capture.read()[1]
    (face,) = analyze_image(np.asarray(picture, np.uint8), engine="onnxruntime", lenses="units")
    assert 0 <= face.outputs["units"]["AU12"] <= 1
    assert not isinstance(face.output_intervals, msgspec.UnsetType)
    low, high = face.output_intervals["units"]["AU12"]
    assert 0 <= low <= face.outputs["units"]["AU12"] <= high <= 1


def test_a_recording_carries_them_and_its_table_has_openfaces_columns(tmp_path: Path) -> None:
    recording, table, again = (tmp_path / name for name in ("run.jsonl", "run.csv", "again.jsonl"))
    quiet = ["--no-display", "--bind", "tcp://127.0.0.1:0", "--engine", "onnxruntime"]
    words = ["record", "--source", str(DEMO), "--max-seconds", "0.6", "--lens", "all,aligned"]
    assert main([*words, *quiet, "--record", str(recording)]) == 0
    recorded = read_recording(recording)
    assert sorted(head.name for head in recorded.header.heads if isinstance(head.lens, str)) == EVERY
    assert main(["run", "--source", f"replay:{recording}", *quiet[:3], "--record", str(again)]) == 0
    assert [_said(one) for one in read_recording(again)] == [_said(one) for one in recorded]
    assert main(["export", str(recording), str(table)]) == 0
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    spoken = [message for message in read_recording(recording) if isinstance(message, Estimate)]
    value = spoken[-1].outputs["units"]["AU12"]
    assert float(rows[-1]["AU12_r"]) == pytest.approx(5 * value, abs=1e-5)
    assert float(rows[-1]["AU12_r_low"]) <= 5 * value <= float(rows[-1]["AU12_r_high"])


def _said(message: object) -> object:
    return (message.outputs, message.output_intervals, message.square) if isinstance(message, Estimate) else None


NEAR_IN_INT8 = 0.05  # of an activation; 0.014 was the most on 800 pictures


def test_the_encoder_in_int8_gives_its_map_too_and_units_say_nearly_the_same() -> None:
    bundle = load_bundle()
    crops = read_probe(bundle).crops
    (lens,) = open_lenses(["units"], bundle)
    part = GraphLens(lens)
    said: list[FloatArray] = []
    for engine in (
        OnnxRuntimeEngine(bundle),
        OnnxRuntimeEngine(bundle, precision="int8", graphs=read_graphs(bundle, "int8")),
    ):
        assert engine.gives_map
        features, maps = engine.encode_frames_and_map(crops)
        np.testing.assert_array_equal(features, engine.encode_frames(crops))
        views = [View(("face", i), 0.0, {"map": row}) for i, row in enumerate(maps)]
        readings = [reading for reading in part.look(views) if reading is not None]
        said.append(np.array([list(reading.values.values()) for reading in readings], np.float32))
    exact, quick = said
    assert exact.shape == (len(crops), 11)
    assert 0 < np.abs(exact - quick).max() < NEAR_IN_INT8


def test_at_the_end_of_a_file_its_frames_vote_in_the_recording_as_in_the_analysis(
    tmp_path: Path, seen: list[Estimate]
) -> None:
    path = tmp_path / "votes.jsonl"
    asked = ["--source", str(DEMO), "--lens", "compound", "--max-seconds", "1.5", "--record", str(path), "--no-display"]
    exact = ["--engine", "onnxruntime", "--set", "engine.precision=fp32", "--bind", "tcp://127.0.0.1:*"]
    assert main(["run", *asked, *exact]) == 0
    events = [message for message in read_recording(path) if isinstance(message, Event)]
    assert [event.event for event in events[-2:]] == ["votes", "source_ended"]
    (expected,) = video_votes(seen).values()
    votes = events[-2].votes
    assert isinstance(votes, Votes) and votes.frames == expected.frames > 20
    assert votes.majority == expected.majority
    assert votes.means == pytest.approx(expected.means, abs=1e-6)  # a recording has six digits


def test_the_list_says_of_every_lens_what_it_gives_and_what_all_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lenses"]) == 0
    first_words = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:1].isalpha()}
    assert {*lens_folders(load_bundle()), "mesh"} <= first_words
    assert main(["lenses", "--json"]) == 0
    listed = {entry["name"]: entry for entry in msgspec.json.decode(capsys.readouterr().out)}
    assert [name for name, entry in listed.items() if not entry["in_all"]] == ["aligned", "mesh"]
    assert listed["moments"]["reads"] == ["context", "valid"]
