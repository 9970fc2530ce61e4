"""Errors by condition: which faces belong to which, and what is counted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.measures import condition_plot
from benchmarks.measures.clip_figures import MatchedClip
from benchmarks.measures.condition_rows import conditions
from benchmarks.measures.conditions import clip_condition_figures, pose_figures, spoilt_figures
from benchmarks.measures.degradations import CONDITIONS
from benchmarks.measures.face_data import Clip, CrowdFaces, TeacherRow
from benchmarks.measures.still_figures import Answers, Figure
from benchmarks.render import fill
from streamaffect import load_bundle
from streamaffect.types import Box, ImageArray
from tests.support.bundles import write_bundle
from train.bundle.card import model_card


def answers_of(affect: np.ndarray) -> Answers:
    return Answers(affect, np.full((len(affect), 2, 2), np.nan), np.full(len(affect), -1))


def by_name(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    return {(figure.part, figure.name): figure for figure in figures}


def test_faces_are_put_into_bins_by_how_far_they_turn_whichever_way() -> None:
    truth = np.zeros((61, 2))
    pred = truth + 0.1
    pose = np.zeros((61, 3))
    pose[20:40, 0] = -15
    pred[20:40, 0] = 0.3
    pose[40:50, 0] = np.nan
    pred[45] = np.nan
    pose[50:, 1] = -12
    figures = by_name(pose_figures(CrowdFaces([], truth, truth, truth, pose), answers_of(pred), "FER+"))
    turned = figures["FER+ by yaw", "|yaw| 10 to 20°: mean absolute error, valence"].measured
    assert turned.value == pytest.approx(0.3)
    assert turned.count == 20
    assert figures["FER+ by yaw", "|yaw| under 10°: mean absolute error, valence"].measured.value == pytest.approx(0.1)
    unknown = figures["FER+ by yaw", "no landmarks: share with an estimate"].measured
    assert unknown.value == pytest.approx(0.9)
    assert unknown.count == 10
    assert ("FER+ by yaw", "no landmarks: mean absolute error, valence") not in figures  # nine are too few
    assert figures["FER+ by pitch", "down 10 to 20°: share with an estimate"].measured.count == 11
    assert not any("up" in name for _, name in figures)


def test_every_disturbance_is_scored_on_the_same_pictures_and_what_gets_no_estimate_is_counted() -> None:
    pictures = [np.full((48, 48, 3), 4 * row, np.uint8) for row in range(40)]
    affect = np.repeat(np.linspace(-0.5, 0.5, 40)[:, None], 2, axis=1)
    faces = CrowdFaces(pictures, affect, affect, affect)

    def analyse(image: ImageArray) -> list[Any]:
        return []

    rows = np.arange(5, 35)
    calls: list[int] = []
    figures = by_name(
        spoilt_figures(faces, answers_of(affect + 0.2), rows, analyse, lambda: calls.append(1), part="FER+")
    )
    for kind, steps in CONDITIONS.items():
        clean = figures[f"FER+ by {kind}", "as it is: mean absolute error, arousal"].measured
        assert clean.value == pytest.approx(0.2)
        assert clean.count == 30
        for name in steps:
            share = figures[f"FER+ by {kind}", f"{name}: share with an estimate"].measured
            assert share.value == (1.0 if name == "as it is" else 0.0)
            assert share.count == 30
    assert len(calls) == 30 * (sum(map(len, CONDITIONS.values())) - len(CONDITIONS))


def test_faces_are_reduced_blurred_and_lit_as_the_names_say() -> None:
    image = np.tile(np.arange(0, 240, 5).astype(np.uint8)[:, None, None], (1, 48, 3))
    assert CONDITIONS["size"]["24 px"](image).shape == (24, 24, 3)
    assert CONDITIONS["size"]["32 px"](image[:20, :20]).shape == (20, 20, 3)
    assert CONDITIONS["light"]["× 0.5"](image)[20, 0, 0] == 50
    assert CONDITIONS["light"]["× 2"](image)[30, 0, 0] == 255
    point = np.zeros((49, 49, 3), np.uint8)
    point[24, 24] = 255
    around = CONDITIONS["blur"]["σ 2 px"](point)[24, :, 0].astype(float)
    place = np.arange(49) - 24
    assert np.sqrt((around * place**2).sum() / around.sum()) == pytest.approx(2, abs=0.4)


def test_clips_are_binned_by_the_labelled_face_also_where_the_stream_had_no_estimate() -> None:
    rows = [TeacherRow(t / 10, Box(0, 0, 1, 1), 0.0, 0.0, 60.0 if t < 12 else 200.0) for t in range(30)]
    at = np.arange(30)[np.arange(30) % 6 != 0]
    pred = np.full((25, 2), 0.25)
    matched = MatchedClip(Clip(Path("a.mp4"), "anna", "", rows), at, np.zeros((25, 2)), pred, np.zeros((25, 2, 2)))
    figures = by_name(clip_condition_figures([matched], "clips"))
    small = figures["clips by face height", "48 to 96 px: share with an estimate"].measured
    assert small.value == pytest.approx(10 / 12)
    assert small.count == 12
    large = figures["clips by face height", "over 192 px: mean absolute error, valence"].measured
    assert large.value == pytest.approx(0.25)
    assert large.count == 15
    assert {part for part, _ in figures} == {"clips by face height"}  # these labels tell no pose


def row(part: str, figure: str, value: float, groups: int = 20) -> dict[str, object]:
    return {"part": part, "figure": figure, "value": value, "low": value - 0.05, "high": value + 0.05, "rows": 20,
            "groups": groups, "note": ""}  # fmt: skip


def results(*rows: dict[str, object]) -> dict[str, object]:
    machine = {"cpu": "A CPU", "cores": 2, "system": "Linux", "python": "3.11.7"}
    return {"machine": machine, "versions": {"numpy": "2"}, "command": "python accuracy.py", "results": list(rows)}


MEASURED = results(
    row("FER+", "CCC to the votes, valence", 0.9),
    row("FER+ by size", "24 px: share with an estimate", 0.5),
    row("FER+ by size", "24 px: mean absolute error, valence", 0.2),
    row("clips by yaw", "|yaw| under 10°: share with an estimate", 1.0, groups=1),
    row("clips by yaw", "|yaw| under 10°: CCC, arousal", 0.75, groups=1),
    row("bundle", "size, MB", 11.0) | {"note": "mine@2.0"},
)


def test_a_document_shows_one_line_per_condition_and_names_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text(json.dumps(MEASURED))
    lines = fill("<!-- conditions: accuracy -->\n<!-- end -->\n", tmp_path).splitlines()
    assert lines[3:5] == [
        "| FER+ by size | 24 px | 20 | 50% | 0.20 (0.15 to 0.25) | – | – | – |",
        "| clips by yaw | \\|yaw\\| under 10° | 20 | 100% | – | – | – | 0.75 |",
    ]
    assert lines[6].startswith("Measured with mine@2.0. `python accuracy.py` on A CPU")
    one = fill("<!-- conditions: accuracy | clips by -->\n<!-- end -->\n", tmp_path)
    assert "FER+" not in one
    assert "clips by yaw" in one


def test_a_block_can_leave_rows_out(tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text(json.dumps(MEASURED))
    filled = fill("<!-- benchmark: accuracy | not FER+ by | not clips by -->\n<!-- end -->\n", tmp_path)
    assert "CCC to the votes" in filled
    assert "size, MB" in filled
    assert " by " not in filled.partition("-->")[2]


def test_a_block_without_measured_conditions_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text(json.dumps(results(row("FER+", "CCC to the votes, valence", 0.9))))
    text = "<!-- conditions: accuracy -->\nas it was\n<!-- end -->\n"
    assert fill(text, tmp_path) == text


def test_the_card_of_a_new_bundle_does_not_show_another_s_errors(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("words\n\n<!-- conditions: accuracy -->\n| FER+ | 0.1 |\n<!-- end -->\n\nmore words\n")
    card = model_card(load_bundle(write_bundle(tmp_path / "bundle")).manifest, notes)
    assert "0.1 |" not in card
    assert "<!-- conditions: accuracy -->\nNot measured for this bundle yet" in card
    assert card.endswith("<!-- end -->\n\nmore words\n")
    (tmp_path / "accuracy.json").write_text(json.dumps(MEASURED))
    assert "Not measured" not in fill(card, tmp_path)


def test_the_figure_has_a_panel_for_each_part(tmp_path: Path) -> None:
    out = tmp_path / "figure.svg"
    condition_plot.draw(conditions(MEASURED["results"]), "mine@2.0", out)  # type: ignore[arg-type]
    assert out.read_text(encoding="utf-8").count('id="axes_') == condition_plot.COLUMNS
