"""The session that a lab copies, shortened: a real run, a stimulus program in another process, exports read back."""

import re
import subprocess
import sys
import uuid
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.assets.make_participant_clip import make
from streamaffect.messages import Event
from streamaffect.recordings.reading import read_recording
from tests.support.outlets.processes import free_port

pytest.importorskip("pylsl", exc_type=ImportError)

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "examples"
LABELS = [f"film {number}{ending}" for number in (1, 2, 3) for ending in ("", " ends")]
SMILES = (11.5, 40.0, 4.0, 6.0)  # from second 11.5 on, between these moments of the demo, in which the face smiles
NEUTRAL = (2.0, 2.6)


@pytest.mark.slow
def test_a_session_is_marked_exported_read_back_and_drawn(tmp_path: Path) -> None:
    clip, folder = tmp_path / "participant.mp4", tmp_path / "sessions" / "p01"
    make(ROOT / "streamaffect" / "assets" / "demo.mp4", clip, seconds=40, rest=NEUTRAL, reactions=[SMILES])
    words = ["--source", str(clip), "--seconds", "16", "--baseline", "1", "--bind", f"tcp://127.0.0.1:{free_port()}"]
    name = f"stimuli-{uuid.uuid4().hex[:8]}"
    session = subprocess.run(
        [sys.executable, str(EXAMPLES / "lab_session.py"), str(folder), *words, "--lsl", name],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert session.returncode == 0, session.stdout + session.stderr
    assert "baseline taken of face 0" in session.stdout
    apart = re.search(r"7 markers; XDF and BORIS set them ([\d.]+) ms apart", session.stdout)
    assert apart is not None and float(apart[1]) <= 0.5  # BORIS has milliseconds
    means = {line[:24].strip(): line[24:].split() for line in session.stdout.splitlines() if line[:24].strip()}
    valence, relative = float(means["film 3"][0]), float(means["film 3"][1])
    assert valence > 0.6
    assert 0.4 < relative < valence  # the face at rest has a valence above zero
    markers = [one for one in read_recording(folder / "session.jsonl") if isinstance(one, Event) and one.label]
    assert [one.label for one in markers] == [*LABELS, "session over"]
    assert {one.origin for one in markers} == {f"lsl:{name}", "ctl"}
    figure = ElementTree.parse(folder / "session.svg").getroot()
    texts = {text.text for text in figure.iter("{http://www.w3.org/2000/svg}text")}
    assert {"baseline", "film 1", "film 2", "film 3"} <= texts
    assert len([*figure.iter("{http://www.w3.org/2000/svg}polyline")]) >= 4


def test_the_stimulus_program_marks_over_tcp_too(tmp_path: Path) -> None:
    from streamaffect.control.markers.tcp import TcpMarkers

    texts: list[str] = []

    def noted(text: str, *, origin: str, monotonic_ns: int) -> None:
        texts.append(text)

    markers = TcpMarkers(0, noted)
    try:
        words = ["--plain", "--tcp", str(markers.port), "--at", "0", "0.1", "0.2", "--last", "0.05"]
        subprocess.run([sys.executable, str(EXAMPLES / "psychopy_stimuli.py"), *words], check=True, timeout=60)
    finally:
        markers.close()
    assert texts == LABELS
