"""The comparison with peers: turns, ratios, whose face it is, and why a peer is left out."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measures.peers.contestants import PEERS, Command, Video, ours
from benchmarks.measures.peers.installing import NotInstalledError, make_npm_project, run
from benchmarks.measures.peers.reading import Noted, Reading, from_json
from benchmarks.measures.peers.turns import FailedError, play, read, same_face, spread
from benchmarks.peers import to_rows
from streamaffect.sources.demo import DEMO_CLIP

HERE = Path(__file__).parent


def reading(seconds: float, *, faces: int = 100, noted: tuple[Noted, ...] = ()) -> Reading:
    return Reading(100, faces, seconds, noted, {"program": "1"})


def printing(text: str) -> Command:
    return Command((sys.executable, "-c", f"print('loading'); print({text!r})"), HERE)


def test_each_peer_is_compared_with_our_run_right_before_it() -> None:
    seconds = iter([1.0, 10.0, 2.0, 40.0, 1.0, 12.0, 2.0, 44.0])  # ours, a, ours, b, and again
    started: list[str] = []

    def measure(command: Command) -> Reading:
        started.append(command.words[0])
        return reading(next(seconds))

    commands = {name: Command((name,), HERE) for name in ("a", "b")}
    matches = play(commands, Command(("ours",), HERE), 2, measure=measure)
    assert started == ["ours", "a", "ours", "b"] * 2
    assert matches["a"].ratios == pytest.approx([10.0, 12.0])
    assert matches["b"].ratios == pytest.approx([20.0, 22.0])


def test_a_peer_that_fails_is_out_and_the_others_go_on() -> None:
    def measure(command: Command) -> Reading:
        if command.words == ("bad",):
            raise FailedError("no such library")
        return reading(1.0)

    commands = {name: Command((name,), HERE) for name in ("bad", "good")}
    matches = play(commands, Command(("ours",), HERE), 3, measure=measure)
    assert (matches["bad"].failure, matches["bad"].theirs) == ("no such library", [])
    assert len(matches["good"].ratios) == 3


def test_a_failure_of_ours_ends_the_comparison() -> None:
    def measure(command: Command) -> Reading:
        raise FailedError("ours")

    with pytest.raises(FailedError):
        play({"a": Command(("a",), HERE)}, Command(("ours",), HERE), 1, measure=measure)


def test_what_a_program_prints_is_read_back() -> None:
    told = reading(2.0, noted=(Noted(0.4, (0.1, 0.2, 0.3, 0.4)),))
    assert read(printing(told.to_json())) == from_json(told.to_json()) == told


@pytest.mark.parametrize("text", ["", "[]", "{}", "ready"])
def test_a_program_that_prints_no_reading_has_failed(text: str) -> None:
    with pytest.raises(FailedError, match="printed no reading"):
        read(printing(text))


def test_a_program_that_read_nothing_has_failed() -> None:
    with pytest.raises(FailedError, match="read no frame"):
        read(printing(Reading(0, 0, 0.1, (), {}).to_json()))


def test_a_failed_program_is_quoted_with_its_last_error() -> None:
    words = (sys.executable, "-c", "raise OSError('no video there')")
    with pytest.raises(FailedError, match="OSError: no video there"):
        read(Command(words, HERE))


def test_the_same_face_has_its_middle_inside_the_other() -> None:
    face, wider, elsewhere = (0.4, 0.3, 0.2, 0.2), (0.3, 0.2, 0.4, 0.4), (0.7, 0.3, 0.2, 0.2)
    own = reading(1.0, noted=tuple(Noted(i * 0.04, face) for i in range(4)))
    theirs = reading(1.0, noted=(Noted(0.0, wider), Noted(0.041, elsewhere), Noted(0.08, face), Noted(9.0, face)))
    assert same_face(own, theirs) == pytest.approx(2 / 3)
    assert same_face(own, reading(1.0)) == 0.0


def test_the_table_says_median_and_spread_and_the_goal() -> None:
    peer = PEERS[0]
    seconds = iter([1.0, 10.0, 1.0, 14.0, 1.0, 11.0])
    commands = {peer.name: Command((peer.name,), HERE)}
    matches = play(commands, Command(("ours",), HERE), 3, measure=lambda _: reading(next(seconds), faces=97))
    row = next(row for row in to_rows([peer], matches) if row["peer"] == peer.name)
    assert (row["ours is × as fast"], row["× low"], row["× high"], row["goal"]) == (11.0, 10.0, 14.0, peer.goal)
    assert (row["frames/s"], row["with a face %"]) == (round(spread([100 / 10, 100 / 14, 100 / 11])[0], 1), 97.0)


def test_no_peer_means_no_row() -> None:
    assert to_rows([], {}) == []


def test_a_peer_without_nodejs_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalledError, match=r"nodejs and npm"):
        make_npm_project(tmp_path / "human", ["any"])
    assert not (tmp_path / "human").exists()


def test_a_failed_step_says_its_error_and_keeps_the_log(tmp_path: Path) -> None:
    script = "print('ERROR: no matching distribution'); print('a hint'); raise SystemExit(1)"
    with pytest.raises(NotInstalledError, match=r"^ERROR: no matching distribution$"):
        run([sys.executable, "-c", script], tmp_path / "log")
    assert "a hint" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: sys.executable)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(NotInstalledError, match="holds something else"):
        make_npm_project(tmp_path, ["any"])
    assert (tmp_path / "thesis.txt").exists()


def test_our_own_program_reads_every_frame_and_finds_the_face() -> None:
    own = read(ours(Video(DEMO_CLIP, 640, 360, 25.0)))
    assert own.frames == 250
    assert own.faces > 0.9 * own.frames
    assert same_face(own, own) == 1.0


def test_the_network_of_the_script_by_hand_has_the_size_of_efficientnet_b0(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    file = tmp_path / "classifier.onnx"
    words = [sys.executable, "-m", "benchmarks.measures.peers.classifier", str(file)]
    subprocess.run(words, cwd=Path(__file__).parents[3], check=True)
    weights = sum(onnx.numpy_helper.to_array(one).size for one in onnx.load(file).graph.initializer)
    assert weights == pytest.approx(4.0e6, rel=0.02)  # 5.3 million with the 1000 classes of ImageNet
