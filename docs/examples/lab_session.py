"""A session as a lab runs it: baseline, three stimuli that another program marks, exports, a figure.

    pip install 'streamaffect[lsl]' pyxdf
    python lab_session.py sessions/p01 --source webcam

The folder gets `session.jsonl` (the recording), `session.xdf`, `session.tsv` (BORIS), `session.csv`,
`session_comma.csv` (for a spreadsheet with decimal commas) and `session.svg` (the figure, by lab_figure.py).
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lab_figure

from streamaffect import ControlError, Controller

BESIDE = Path(__file__).parent
STREAM = "participant"
FACE_S = 60.0
SETTLES_S = 5.0  # after which a face's context is full
TRIES = 5


def main() -> None:
    """Run a session, export it and look at it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the files of this session; a new one")
    parser.add_argument("--source", default="webcam", help="camera or video (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=300.0, help="from the face on (default: %(default)g)")
    parser.add_argument("--baseline", type=float, default=5.0, help="seconds of neutral face (default: %(default)g)")
    parser.add_argument(
        "--lsl", default="stimuli", metavar="NAME", help="of the marker stream; another one in each room of a lab"
    )
    parser.add_argument("--bind", default="tcp://127.0.0.1:5556", help="address of the feed (default: %(default)s)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    recording = options.folder / "session.jsonl"
    words = ["--source", f"{STREAM}={options.source}", "--markers", f"lsl:{options.lsl}", "--record", str(recording)]
    with streaming(*words, "--bind", options.bind) as run, Controller(options.bind) as control:
        wait_for_a_face(control, run)
        begun_s = time.monotonic()
        say("please look at the camera, with a neutral face")
        time.sleep(SETTLES_S)
        take_baseline(control, options.baseline)
        # Three stimuli, spread over what is left of the session; each lasts a tenth of it.
        left_s = options.seconds - (time.monotonic() - begun_s)
        begins = [str(round(left_s * share, 3)) for share in (0.2, 0.47, 0.74)]
        stimuli = [sys.executable, str(BESIDE / "psychopy_stimuli.py"), "--plain", "--lsl", options.lsl]
        subprocess.run([*stimuli, "--at", *begins, "--last", str(options.seconds / 10)], check=True)
        time.sleep(max(0.0, begun_s + options.seconds - time.monotonic()))
        control.mark("session over")
        time.sleep(0.5)  # in CSV, a marker stands in the row of the next picture
        control.stop()
        if run.wait(30) != 0:
            sys.exit("the run has failed; what it said stands above")
    for name, *words in (("session.xdf",), ("session.tsv",), ("session.csv",), ("session_comma.csv", "--decimal", ",")):
        export = [sys.executable, "-m", "streamaffect", "export", str(recording), str(options.folder / name), *words]
        subprocess.run(export, check=True)
    lab_figure.show(options.folder)


@contextmanager
def streaming(*words: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A run of one participant; a video is played by its clock, as if it were a camera."""
    command = [sys.executable, "-m", "streamaffect", "run", *words, "--realtime", "--no-display"]
    run = subprocess.Popen([*command, "--set", "tracker.max_faces=1"], stdin=subprocess.DEVNULL)
    try:
        yield run
    finally:
        run.terminate()
        run.wait()


def wait_for_a_face(control: Controller, run: "subprocess.Popen[bytes]") -> None:
    """Return once somebody is in view."""
    deadline_s = time.monotonic() + FACE_S
    while time.monotonic() < deadline_s:
        if run.poll() is not None:
            sys.exit("the run did not start; the reason stands above")
        try:
            if any(stream.faces for stream in control.streams()):
                return
        except ControlError:  # it still starts
            pass
        time.sleep(0.2)
    sys.exit(f"no face within {FACE_S:g} s")


def take_baseline(control: Controller, seconds: float) -> None:
    """Take the participant's neutral, and again where it is refused, as it is of a face that smiles or moves."""
    for _ in range(TRIES):
        before = control.streams()[0].baseline_events
        control.start_baseline(seconds)
        said = "baseline started"
        while "started" in said:
            time.sleep(0.2)
            now = control.streams()[0]
            said = now.baseline if now.baseline_events > before else said
        say(said)
        if "baseline taken" in said:
            return
    sys.exit(f"no baseline after {TRIES} tries")


def say(text: str) -> None:
    """A line for the experimenter."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    main()
