"""A process that records is killed without warning."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamaffect.messages import Estimate
from streamaffect.recordings.reading import read_recording

WRITER = """
import sys
from itertools import count
from streamaffect.sinks.recorder import Recorder
from tests.support.recordings import live_estimate_at, live_header

recorder = Recorder(sys.argv[1], live_header())
for seq in count():
    recorder.send(live_estimate_at(seq * 0.04, seq=seq))
    print(seq, flush=True)
"""


@pytest.mark.parametrize("sent_before_kill", [1, 7, 300, 3000])
def test_a_killed_recorder_leaves_every_message_that_it_had_taken(tmp_path: Path, sent_before_kill: int) -> None:
    path = tmp_path / "session.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        confirmed = [int(writer.stdout.readline()) for _ in range(sent_before_kill)]
        writer.kill()
        confirmed += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    recording = read_recording(path)
    recorded = [message.seq for message in recording if isinstance(message, Estimate)]
    assert recorded == list(range(len(recorded)))
    assert len(recorded) >= len(confirmed)
