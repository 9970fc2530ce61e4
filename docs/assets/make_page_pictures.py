"""Make the pictures of docs/page.md: the page of a real run of the demo, and that of a recording with made-up courses.

    python -m docs.assets.make_page_pictures docs

Needs playwright and a Chromium of the system. The recording is made up so that its picture shows all that there can be.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from streamaffect.messages import Event, Message, Status
from streamaffect.recordings.courses import read_courses
from streamaffect.settings import WebSettings
from streamaffect.sinks.web.recorded import RecordedPage
from streamaffect.sinks.web.server import PageServer
from tests.support.recordings import estimate_at, record
from tests.support.web.pages import browser_path

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1:8766"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
MARKERS = {5: "stimulus 1", 18: "stimulus 2", 29: "answer"}


def main() -> None:
    """Run, look, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=45.0, help="to watch the demo (default: %(default)g)")
    options = parser.parse_args()
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        take_live(browser, options.folder, options.seconds)
        take_recording(browser, options.folder, record(Path(folder) / "interview.jsonl", made_up()))
        browser.close()


def take_live(browser: Browser, folder: Path, seconds: float) -> None:
    """The page of a run, light, dark and on a phone."""
    command = [sys.executable, "run_stream.py", "--source", "demo", "--web", ADDRESS, "--no-display"]
    command += ["--bind", "tcp://127.0.0.1:0", "--web-video", "blurred"]
    with subprocess.Popen(command, cwd=ROOT) as run:
        time.sleep(8)
        tabs = {}
        for name, viewport, scheme in (
            ("page_live", DESKTOP, "light"),
            ("page_dark", DESKTOP, "dark"),
            ("page_phone", PHONE, "light"),
        ):
            context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
            tabs[name] = context.new_page()
            tabs[name].goto(f"http://{ADDRESS}/")
        time.sleep(seconds / 2)
        tabs["page_live"].fill("#mark-label", "stimulus 1")
        tabs["page_live"].press("#mark-label", "Enter")
        time.sleep(seconds / 2)
        for name, tab in tabs.items():
            tab.bring_to_front()
            time.sleep(3)
            tab.screenshot(path=folder / f"{name}.png", full_page=name != "page_phone")
        run.terminate()


def take_recording(browser: Browser, folder: Path, recording: Path) -> None:
    """The page of a recording, with a stretch left out."""
    with closing(PageServer(WebSettings(bind="127.0.0.1:0"))) as server:
        server.start(RecordedPage(read_courses(recording)).routes)
        tab = browser.new_context(viewport=DESKTOP, color_scheme="light").new_page()  # type: ignore[arg-type]
        tab.goto(server.address.url)
        over = tab.locator("#recorded-valence .u-over")
        over.wait_for()
        box = over.bounding_box()
        assert box is not None
        tab.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + 40)
        tab.mouse.down()
        tab.mouse.move(box["x"] + 0.93 * box["width"], box["y"] + 40, steps=4)
        tab.mouse.up()
        tab.click("#exclude")
        over.click(position={"x": 0.3 * box["width"], "y": 40})
        time.sleep(1)
        tab.screenshot(path=folder / "page_recording.png", full_page=True)


def made_up() -> Iterator[Message]:
    """Two faces for 40 s: one is hidden for a while, the other too poorly seen for a while; three markers."""
    seq = 0
    for picture in range(40 * 25):
        t_s = picture / 25
        for track in (0, 1):
            if track == 1 and not 6 < t_s < 33:
                continue
            valence = 0.5 * math.sin(t_s / 3 + 2 * track) + 0.06 * math.sin(2.3 * t_s)
            arousal = 0.3 * math.cos(t_s / 4 + track) + 0.05 * math.sin(3 * t_s)
            happy = min(0.95, max(0.02, 0.4 + valence))
            values: dict[str, object] = {
                "valence": valence,
                "arousal": arousal,
                "valence_interval": (max(-1.0, valence - 0.25), min(1.0, valence + 0.25)),
                "arousal_interval": (arousal - 0.18, arousal + 0.18),
                "outputs": {
                    "emotions": {"neutral": 0.8 * (1 - happy), "happiness": happy, "sadness": 0.2 * (1 - happy)}
                },
            }
            status = status_of(track, t_s)
            if status == "abstain":
                values = dict.fromkeys(("valence", "arousal", "valence_interval", "arousal_interval")) | {"outputs": {}}
            yield estimate_at(t_s, track=track, seq=seq, status=status, **values)
            seq += 1
        if t_s in MARKERS:
            yield Event(
                stream="clip", t_ns=round(t_s * 1e9), event="marker", label=MARKERS[int(t_s)], origin="lsl:PsychoPy"
            )


def status_of(track: int, t_s: float) -> Status:
    """What is said of a face at a time."""
    if track == 0 and 14 < t_s < 16.5:
        return "held"
    if track == 1 and 20 < t_s < 23:
        return "abstain"
    return "warming" if t_s < 3 or (track == 1 and t_s < 9) else "ok"


if __name__ == "__main__":
    main()
