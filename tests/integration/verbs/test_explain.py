"""`streamaffect explain` as it is typed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.cli import main
from streamaffect.feed.wire import decode
from streamaffect.messages import Estimate
from tests.support.faces import demo_frames


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pictures") / "Gesicht für Łódź.png"
    file.write_bytes(cv2.imencode(".png", demo_frames(1)[0])[1].tobytes())
    return file


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["explain", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_face_is_explained_in_words_and_drawn_and_no_file_is_lost(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "why.png"
    code, shown, _ = said([str(picture), "--save", str(out)], capsys)
    assert code == 0
    assert "face 1: " in shown
    assert " %" in shown
    assert "distilled: estimated in one look" in shown
    assert f"{out}: written" in shown
    image = cv2.imread(str(out))
    assert image is not None
    assert image.shape[1] >= 480

    out.write_bytes(b"dear")
    code, _, complaint = said([str(picture), "--save", str(out)], capsys)
    assert code == 2
    assert "already exists" in complaint
    assert out.read_bytes() == b"dear"
    assert said([str(picture), "--save", str(out), "--overwrite"], capsys)[0] == 0
    assert out.read_bytes() != b"dear"
    code, _, complaint = said([str(picture), "--save", str(picture), "--overwrite"], capsys)
    assert code == 2
    assert cv2.imdecode(np.fromfile(picture, np.uint8), 1) is not None


@pytest.mark.parametrize(("method", "words"), [("aligned", "textbook"), ("occlusion", "measured")])
def test_the_other_methods_say_what_they_are(
    picture: Path, method: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, _ = said([str(picture), "--method", method], capsys)
    assert code == 0
    assert f"{method}: " in shown
    assert words in shown


def test_json_is_that_of_the_wire(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = said([str(picture), "--json"], capsys)
    assert code == 0
    (one,) = json.loads(shown)
    estimate = decode(json.dumps(one).encode())
    assert isinstance(estimate, Estimate)
    assert len(estimate.outputs["map"]) == 64


@pytest.mark.parametrize(
    ("name", "content", "words", "complaint"),
    [
        ("missing.png", None, [], "cannot be read (No such file or directory)"),
        ("text.png", b"no picture", [], "is no picture that can be read; JPEG, PNG, WebP, BMP and TIFF are"),
        ("empty.png", b"", [], "is no picture that can be read"),
        ("grey.png", "grey", [], "no face was found"),
        ("grey.png", "grey", ["--save", "why.docx"], "--save why.docx: the ending says the format, e.g. why.png"),
        ("grey.png", "grey", ["--save", "why"], "--save why: the ending says the format, e.g. why.png"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    name: str,
    content: bytes | str | None,
    words: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name
    if content == "grey":
        cv2.imwrite(str(file), np.full((120, 160, 3), 128, np.uint8))
    elif isinstance(content, bytes):
        file.write_bytes(content)
    code, shown, complained = said([str(file), *words], capsys)
    assert (code, shown) == (2, "")
    assert complaint in complained
    assert complained.count("\n") == 1
