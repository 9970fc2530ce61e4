"""A clip as a story: the example is run on the demo's beginning, and what it draws and says is looked at."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from streamaffect.sources.demo import DEMO_CLIP
from tests.support.videos import picture, write_frames

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"
STORY = ROOT / "docs" / "examples" / "story.py"


def story(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(STORY), *words], capture_output=True, text=True, timeout=110, check=False, cwd=ROOT
    )


@pytest.fixture
def beginning(tmp_path: Path) -> Path:
    """The first second of the demo."""
    capture = cv2.VideoCapture(str(DEMO_CLIP))
    return write_frames(tmp_path / "beginning.mp4", [np.asarray(capture.read()[1], np.uint8) for _ in range(25)])


def test_a_clip_becomes_a_figure_of_curves_and_a_line_for_each_part(beginning: Path, tmp_path: Path) -> None:
    out = tmp_path / "story.svg"
    told = story(str(beginning), "--out", str(out), "--parts", "2")
    assert told.returncode == 0, told.stderr
    head, *parts, written = told.stdout.splitlines()
    assert head.split() == [
        "seconds",
        "valence",
        "±",
        "arousal",
        "±",
        "held",
        "emotion,",
        "units,",
        "and",
        "where",
        "from",
    ]
    assert len(parts) == 2
    assert all(
        re.search(r"^ 0\.\d to +\d\.\d +[+-]0\.\d\d +0\.\d\d .* 0%  \w+ 0\.\d\d; \d+ \w", part) for part in parts
    )
    assert written == str(out)
    figure = ElementTree.parse(out).getroot()
    texts = {text.text for text in figure.iter(f"{SVG}text")}
    assert {"valence, with its 90 % interval", "width of the intervals", "mouth", "its context fills"} <= texts
    assert len(list(figure.iter(f"{SVG}image"))) == 2  # regions, and their scale of colours: no picture of anybody


@pytest.mark.parametrize(
    ("content", "words"), [(None, "no such file"), (b"no video", "nowhere.mp4"), ("grey", "no face was found")]
)
def test_what_cannot_be_told_is_said_in_a_line(tmp_path: Path, content: bytes | str | None, words: str) -> None:
    video = tmp_path / "nowhere.mp4"
    if content == "grey":
        write_frames(video, [picture(9)] * 5)
    elif isinstance(content, bytes):
        video.write_bytes(content)
    told = story(str(video), "--out", str(tmp_path / "story.svg"))
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].startswith("story: ")
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "story.svg").exists()
