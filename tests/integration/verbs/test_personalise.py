"""From a run that records crops, by the verb, to a lens beside the bundle; and nothing is left after `--delete`."""

from pathlib import Path

import msgspec
import pytest

from streamaffect import analyze
from streamaffect.cli import main
from streamaffect.messages import Estimate

DEMO = Path(__file__).parents[3] / "streamaffect" / "assets" / "demo.mp4"
EXACT = {"backend": "onnxruntime", "precision": "fp32"}
QUIET = ["--no-display", "--bind", "tcp://127.0.0.1:0", "--engine", "onnxruntime"]


def estimates(*lenses: str) -> list[Estimate]:
    return list(analyze(DEMO, engine=EXACT, lenses=lenses, run={"max_seconds": 1.0}))


def test_from_a_run_to_a_lens_and_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops, me = tmp_path / "me.crops", tmp_path / "me"
    assert main(["run", "--source", str(DEMO), "--record-crops", str(crops), *QUIET]) == 0
    assert main(["personalise", str(crops), "--out", str(me)]) == 0
    assert "learned from" in capsys.readouterr().out
    bare, fitted = estimates(), estimates(f"me={me}")
    assert [msgspec.structs.replace(one, outputs=two.outputs, output_intervals=msgspec.UNSET)
            for one, two in zip(fitted, bare, strict=True)] == bare  # fmt: skip
    own = [one.outputs["me"] for one in fitted if one.status in ("ok", "warming")]
    assert own
    differences = [abs(one.outputs["me"]["valence"] - (one.valence or 0)) for one in fitted if "me" in one.outputs]
    assert 0 < max(differences) < 0.3
    assert main(["personalise", "--delete", str(crops), str(me)]) == 0
    assert list(tmp_path.iterdir()) == []


def test_too_little_to_know_a_person_by_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops, me = tmp_path / "me.crops", tmp_path / "me"
    assert main(["run", "--source", str(DEMO), "--record-crops", str(crops), "--max-seconds", "0.5", *QUIET]) == 0
    capsys.readouterr()
    assert main(["personalise", str(crops), "--out", str(me)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "are too few to know a person by; at least 40 are needed" in line
    assert not me.exists()


def test_a_run_says_that_it_keeps_pictures_and_how_to_delete_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crops = tmp_path / "me.crops"
    assert main(["run", "--source", str(DEMO), "--record-crops", str(crops), "--max-seconds", "0.5", *QUIET]) == 0
    told = capsys.readouterr().err
    assert f"pictures of a face are written to {crops}" in told
    assert f"`streamaffect personalise --delete {crops}` deletes them" in told


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "give a recording of crops and --out DIR, or --delete PATH"),
        (["me.crops", "--delete", "me.crops"], "--delete: deletes and learns nothing"),
        (["/nowhere/me.crops", "--out", "me"], "/nowhere/me.crops: cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    words: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["personalise", *words]) == 2
    assert complaint in capsys.readouterr().err


def test_a_run_whose_crops_have_no_place_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--source", str(DEMO), "--record-crops", str(tmp_path / "no" / "me.crops"), *QUIET]) == 2
    assert "there is no folder" in capsys.readouterr().err
