"""A real disk, of one megabyte, that fills up while a process records to it, and has room again later."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_A_MOUNT_OF_ITS_OWN = ["unshare", "--user", "--map-root-user", "--mount"]
PROGRAM = """
import logging, os, subprocess, sys
from pathlib import Path
from streamaffect.errors import RecordingError
from streamaffect.recordings.reading import read_recording
from streamaffect.sinks.recorder import Recorder
from tests.support.recordings import estimate_at, file_header

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1024k", "tmpfs", str(disk)], check=True)
logging.basicConfig(stream=sys.stdout)
recorder = Recorder(disk / "a.jsonl", file_header())
for seq in range(600):
    if seq == 100:
        filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(filler, b"x" * 4096)
        except OSError:
            os.close(filler)
    if seq == 300:
        (disk / "filler").unlink()
    recorder.send(estimate_at(seq * 0.04, seq=seq))
try:
    recorder.close()
except RecordingError as error:
    print(error)
recording = read_recording(disk / "a.jsonl")
seqs = [message.seq for message in recording]
print("read", len(seqs), recording.complaint, seqs[:100] == list(range(100)), seqs[-300:] == list(range(300, 600)))
"""


def may_mount() -> bool:
    try:
        trial = subprocess.run([*IN_A_MOUNT_OF_ITS_OWN, "true"], capture_output=True, check=False)
    except OSError:
        return False
    return trial.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs unshare and user namespaces")
def test_recording_goes_on_when_a_full_disk_has_room_again(tmp_path: Path) -> None:
    command = [*IN_A_MOUNT_OF_ITS_OWN, sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    *said, read = done.stdout.splitlines()
    words = read.split()
    missing = 600 - int(words[1])
    assert 100 < missing <= 200
    assert words[2:] == ["None", "True", "True"]
    assert "cannot be written (No space left on device)" in said[0]
    assert f"recording goes on after 0.0 s; {missing} messages are missing" in said[1]
    assert said[2].endswith(f"a.jsonl: lacks {missing} messages that the system refused to write")
