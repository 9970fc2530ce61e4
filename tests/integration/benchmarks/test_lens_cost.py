"""`benchmarks/live/lens_cost.py`: what it concludes of half a second, and tables that are made in pieces."""

import os
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from benchmarks.lenses import kept_rows
from benchmarks.live.lens_cost import one_by_one, plain, terminal
from benchmarks.measures.report import write
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import Square
from tests.support.recordings import estimate_at
from tests.support.videos import write_frames


def test_each_lens_is_timed_and_the_bundles_own_values_stay(tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(DEMO_CLIP))
    clip = write_frames(tmp_path / "clip.mp4", [np.asarray(capture.read()[1], np.uint8) for _ in range(12)])
    *rows, together, words, own = one_by_one(clip, ["units", "moments"], "about to cry")
    assert [row["what"] for row in rows] == ["units, one face", "moments, one face", "prompts, one face"]
    assert together["what"] == "3 lenses together"
    assert words["what"] == "a sentence a second"
    assert float(str(words["median"])) > 0
    assert (own["median"], own["runs"]) == (0, together["runs"])
    assert all(0 < float(str(row["median"])) < float(str(together["median"])) for row in rows)


@pytest.mark.parametrize("change", [{"valence": 0.3100001}, {"box": (0.4, 0.2, 0.2, 0.3)}, {"coverage": 0.5}])
def test_whatever_a_lens_would_change_of_an_estimate_is_seen(change: dict[str, object]) -> None:
    bare = estimate_at(1.0)
    square = Square((0, 0), (1, 0), (0, 1))
    seen = msgspec.structs.replace(bare, outputs=bare.outputs | {"map": {"y0x0": 0.5}}, square=square)
    assert plain(seen) == plain(bare)
    assert plain(msgspec.structs.replace(seen, **change)) != plain(bare)


def test_the_screen_of_a_run_is_a_terminal() -> None:
    with terminal() as screen:
        assert os.isatty(screen)
        assert os.get_terminal_size(screen) == (120, 50)


def test_pieces_of_a_table_replace_what_they_measured_anew_alone(tmp_path: Path) -> None:
    row = {"lens": "units", "part": "clips", "figure": "mean r", "value": 0.7, "rows": 10}
    other = row | {"lens": "map"}
    file = write("lenses", [row, other], tmp_path / "lenses.json")
    assert kept_rows(file, [row | {"value": 0.8}]) == [other]
    assert kept_rows(tmp_path / "none.json", [row]) == []
