"""Prompts from the command line: a live run whose sentences change by its file and by commands, and mistakes."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from streamaffect import ControlError, Controller, Subscriber, analyze, analyze_image
from streamaffect.cli import main
from streamaffect.errors import PromptError
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.faces import demo_frames

pytestmark = pytest.mark.usefixtures("runtime_folder")

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0
FIRST = 'prompts = ["beaming with joy", "about to cry", "a cat on the sofa"]\n'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def until(found: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not found():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.1)


def answers(run: Controller, *, word: str) -> bool:
    """Whether the run looks for a sentence now."""
    try:
        return word in run.prompts()
    except ControlError:
        return False


def declared(feed: str) -> list[str]:
    """The prompts that the last meta message declares."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket_:
        socket_.setsockopt(zmq.LINGER, 0)
        socket_.subscribe(b"meta/")
        socket_.connect(feed)
        assert socket_.poll(int(1000 * WAIT_S))
        heads = json.loads(socket_.recv_multipart()[1])["heads"]
    return [one["name"] for head in heads if head["kind"] == "prompts" for one in head["outputs"]]


def test_the_sentences_of_a_run_change_with_their_file_and_by_commands(tmp_path: Path) -> None:
    file, recording, feed = tmp_path / "mine.toml", tmp_path / "run.jsonl", f"tcp://127.0.0.1:{free_port()}"
    file.write_text(FIRST)
    words = ("--source", "demo", "--prompts", str(file), "--record", str(recording), "--bind", feed, "--no-display")
    with (
        subprocess.Popen(
            [sys.executable, str(ROOT / "run_stream.py"), *words],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as process,
        Controller(feed) as run,
    ):
        try:
            until(lambda: answers(run, word="a cat on the sofa: not understood"))
            file.write_text("prompts = [")
            file.with_suffix(".new").write_text("prompts = [")
            file.with_suffix(".new").rename(file)
            time.sleep(1.0)
            assert answers(run, word="beaming with joy")
            file.write_text('glad = "grinning"\n')
            until(lambda: answers(run, word="glad: happiness"))
            with Subscriber(feed, max_age_s=WAIT_S) as feed_of_run:
                assert "in despair: sadness" in run.prompts("in despair; eyes closed")
                named = next(
                    message.outputs["prompts"]
                    for message in feed_of_run
                    if "in despair" in message.outputs.get("prompts", {})
                )
            assert list(named) == ["in despair", "eyes closed"]
            until(lambda: declared(feed) == ["in despair", "eyes closed"])
            with pytest.raises(PromptError, match="prompt 1 'x x x"):
                run.prompts({"long": "x " * 60})
            run.stop()
            _, said = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert said.count("the prompts stay as they were") == 1
    events = [json.loads(line) for line in recording.read_text().splitlines() if '"prompts_changed"' in line]
    assert [(one["origin"], one["detail"]) for one in events] == [("file", "glad"), ("ctl", "in despair; eyes closed")]


def test_a_file_and_a_picture_are_asked_too() -> None:
    prompts = {"prompts": "beaming with joy; eyes closed"}
    found = [one for one in analyze(DEMO_CLIP, lens=prompts, run={"max_seconds": 1.0}) if "prompts" in one.outputs]
    assert found
    assert all(list(one.outputs["prompts"]) == ["beaming with joy", "eyes closed"] for one in found)
    (face,) = analyze_image(demo_frames(1)[0], prompts="beaming with joy; in despair")
    assert face.outputs["prompts"]["beaming with joy"] > face.outputs["prompts"]["in despair"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--prompts", " "], "--prompts: is empty"),
        (["--prompts", "a;;b"], "prompt 2 is empty"),
        (["--prompts", "word " * 200], "has 200 words"),
        (["--prompts", "nothere.toml"], "nothere.toml: cannot be read"),
        (["--prompts", "nothere.json"], "nothere.json: cannot be read"),
    ],
)
def test_a_mistake_ends_before_the_start_in_one_line(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["run", "--source", "synthetic", "--no-display", "--bind", f"tcp://127.0.0.1:{free_port()}", *words]) == 2
    )
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def test_prompts_are_shown_and_compiled_into_a_file_that_is_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompts", "show", "about to cry", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["understood"], shown["nearest"]) == ("about to cry", True, "about to cry")
    out = tmp_path / "mine.json"
    compiling = ["prompts", "compile", "about to cry", "--out", str(out)]
    assert main(compiling) == 0
    assert f"run with --prompts {out}" in capsys.readouterr().out
    before = out.read_bytes()
    assert main(compiling) == 2
    assert "exists; --overwrite replaces it" in capsys.readouterr().err
    assert main(["prompts", "compile", "smile", "--out", str(tmp_path / "mine.txt")]) == 2
    assert "expected a name that ends in .json" in capsys.readouterr().err
    assert out.read_bytes() == before
