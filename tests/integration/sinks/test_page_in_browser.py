"""The page in a real browser: what it shows, what its buttons do, and what it asks of whom."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from streamaffect.messages import Event, HeadMeta, SoundHealth
from streamaffect.recordings.courses import read_courses
from streamaffect.settings import WebSettings
from streamaffect.sinks.web.pictures import Pictures
from streamaffect.sinks.web.recorded import RecordedPage
from streamaffect.sinks.web.server import PageServer
from streamaffect.sinks.web.sink import Page
from streamaffect.text.regions import CELLS
from streamaffect.types import Frame, PictureLights, Sightings, Square
from tests.support.recordings import (
    ESTIMATE,
    estimate_at,
    file_header,
    health_of,
    live_estimate_at,
    meta_of,
    record,
    voice_at,
)
from tests.support.videos import write_frames
from tests.support.web.pages import WAIT_S, Clerk, browser_path, page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    path = browser_path()
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield launched
        launched.close()


class Watched:
    """A tab, and whatever it complained of or asked for elsewhere."""

    def __init__(self, tab: "Tab", host: str) -> None:
        self.tab = tab
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        tab.set_default_timeout(WAIT_S * 1000)
        tab.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("request", lambda asked: self._note(asked.url, host))
        tab.on("websocket", lambda opened: self._note(opened.url, host))

    def says(self, where: str, text: str) -> None:
        """Wait until this text is shown there."""
        playwright.expect(self.tab.locator(where)).to_contain_text(text, use_inner_text=True, timeout=WAIT_S * 1000)

    def is_red(self, canvas: str, x: float, y: float) -> None:
        """Wait until this place of a canvas, in shares of its size, is drawn in red."""
        self.tab.wait_for_function(
            f"""([where, place]) => {{
              const canvas = document.querySelector(where);
              return canvas && ({REDNESS})(canvas, place) > 100;
            }}""",
            arg=[canvas, [x, y]],
        )

    def _note(self, url: str, host: str) -> None:
        if not url.startswith((f"http://{host}/", f"ws://{host}/", f"blob:http://{host}/")):
            self.elsewhere.append(url)


@contextmanager
def opened(
    browser: "Browser", port: int, *, path: str = "/", scheme: str = "light", width: int = 1280
) -> Iterator[Watched]:
    host = f"127.0.0.1:{port}"
    viewport: dict[str, int] = {"width": width, "height": 900}
    with closing(browser.new_context(viewport=viewport, color_scheme=scheme)) as context:  # type: ignore[arg-type]
        watched = Watched(context.new_page(), host)
        watched.tab.goto(f"http://{host}{path}")
        yield watched
        assert watched.elsewhere == []


def show_a_face(sink: Page, *, first: int = 0, count: int = 30) -> None:
    meta, health = meta_of("webcam", live=True), health_of("webcam")
    sink.send(meta)
    lamps = PictureLights(light="poor", distance="good", blur="fair", pose="good")
    sound = SoundHealth(state="heard", clock="device", level_db=-20.0, heard_share=1.0)
    sink.send(replace(health, picture=lamps, advice="more light on the face: it is dark", sound=sound))
    sink.send(voice_at(0.0, stream="webcam", t_publish_ns=0))
    for i in range(first, first + count):
        sink.send(live_estimate_at(i / 30, seq=i, track=3))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_face_is_shown_with_its_values_and_nobody_else_is_asked(browser: "Browser", scheme: str, width: int) -> None:
    with page(actions=Clerk()) as (sink, port), opened(browser, port, scheme=scheme, width=width) as seen:
        show_a_face(sink)
        tab = seen.tab
        tab.wait_for_selector(".face")
        seen.says("#faces", "face 3")
        seen.says("#faces", "+0.31")
        seen.says("#faces", "+0.12 … +0.48")
        seen.says(".emotion >> nth=1", "62 %")
        tab.wait_for_selector(".lamp.poor")
        seen.says("#lights", "more light on the face")
        playwright.expect(tab.locator("#lights .lamp.fair")).to_have_count(1)
        seen.says("#streams", "-20 dB; a voice that is nobody's: arousal 0.25 (-0.30 to 0.80)")
        seen.says("#notice", "apparent expression, not felt emotion")
        assert tab.evaluate("() => document.documentElement.dataset.theme") == scheme
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
        playwright.expect(tab.locator("#valence canvas")).to_have_count(1)
        assert tab.is_hidden("#picture")
        assert seen.complaints == []


def test_sentences_that_were_not_understood_are_named_beside_the_values_of_the_others(browser: "Browser") -> None:
    heads = [
        HeadMeta(
            name="prompts",
            kind="prompts",
            outputs=[{"name": "in tears"}, {"name": "a zebra", "understood": False}],
            lens="b@1",
        ),
        HeadMeta(name="units", kind="units", outputs=[{"name": "AU12"}], lens="units@1"),
    ]
    with page() as (sink, port), opened(browser, port) as watched:
        meta = meta_of("webcam", live=True)
        sink.send(replace(meta, heads=[*meta.heads, *heads]))
        said = {"prompts": {"in tears": 0.9}, "units": {"AU12": 0.5}}
        sink.send(live_estimate_at(0.0, track=3, outputs=ESTIMATE.outputs | said))
        watched.tab.wait_for_selector(".output h4")
        notes = watched.tab.locator(".output p:visible").all_inner_texts()
        assert notes == ["not understood: a zebra"]
        assert watched.complaints == []


def test_every_output_of_a_face_is_shown_whatever_it_is_called(browser: "Browser") -> None:
    declared = HeadMeta(
        name="units", kind="units", outputs=[{"name": "AU12", "label": "<i>lip</i>", "range": [0, 1]}], lens="units@1"
    )
    said = {
        "units": {"AU12": 0.8},
        "voice": {"activity": 0.5, "arousal": -0.5},
        "strange": {"thing": 17.0},
        "moments": {"ago_0": 0.1, "ago_1": 0.9},
        "many": {f"v{i}": i / 50 for i in range(50)},
    }
    with page() as (sink, port), opened(browser, port, width=390) as seen:
        meta = meta_of("webcam", live=True)
        moments = HeadMeta(name="moments", kind="moments", outputs=[{"name": "ago_1", "label": "1 s ago"}], lens="m@1")
        sink.send(replace(meta, heads=[*meta.heads, declared, moments]))
        ends = {"units": {"AU12": (0.6, 0.9)}}
        sink.send(live_estimate_at(0.0, track=3, outputs=ESTIMATE.outputs | said, output_intervals=ends))
        tab = seen.tab
        tab.wait_for_selector(".output h4")
        assert [words.strip() for words in tab.locator(".output h4").all_inner_texts()] == [
            "units",
            "moments",
            "voice",
            "strange",
            "many the largest 12 of 50",
        ]
        assert tab.locator(".value").all_inner_texts()[0].split("\n") == ["<i>lip</i>", "0.80"]
        lip = tab.locator(".scale").first
        assert tab.inner_text(".output .most") == "most: 1 s ago, 90 %"
        heights = "(all) => all.map((one) => one.getBoundingClientRect().height)"
        older, newer = tab.locator(".columns-of-time i").evaluate_all(heights)
        assert older / newer == pytest.approx(9, rel=0.2)
        widths = lip.evaluate("(scale) => [scale, scale.children[1]].map((one) => one.getBoundingClientRect().width)")
        assert widths[1] / widths[0] == pytest.approx(0.3, abs=0.02)
        seen.says("#faces", "arousal −0.50")
        assert tab.is_hidden(".words")
        sink.send(
            live_estimate_at(0.05, track=3, outputs=ESTIMATE.outputs | said, description="Looks happy; <b>so</b>.")
        )
        tab.wait_for_selector(".words")
        assert tab.inner_text(".words") == "Looks happy; <b>so</b>."
        seen.says("#faces", "thing +17.00")
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 390
        sink.send(live_estimate_at(0.1, seq=1, track=3))
        tab.wait_for_selector(".output h4", state="detached")
        assert seen.complaints == []


def test_what_a_lens_with_a_pace_of_its_own_has_said_stays_until_it_says_more(browser: "Browser") -> None:
    declared = HeadMeta(name="mesh", kind="mesh", outputs=[{"name": "yaw", "range": [-180, 180]}], lens="mesh@2")
    mesh = {"_neutral": 0.9, "cheekPuff": 0.1, "jawOpen": 0.4, "yaw": -12.0, "left_eye_open": 0.3, "age_s": 0.04}
    with page() as (sink, port), opened(browser, port) as seen:
        meta = meta_of("webcam", live=True)
        sink.send(replace(meta, heads=[*meta.heads, declared]))
        sink.send(live_estimate_at(0.0, track=3, outputs=ESTIMATE.outputs | {"mesh": mesh}))
        seen.tab.wait_for_selector(".output h4")
        sink.send(live_estimate_at(0.2, seq=1, track=3, valence=-0.77))
        seen.tab.wait_for_function("() => document.querySelector('#faces').innerText.includes('0.77')")
        names = [words.split("\n")[0] for words in seen.tab.locator(".value").all_inner_texts()]
        assert names == ["yaw", "left_eye_open", "jawOpen", "cheekPuff"]
        sink.send(live_estimate_at(1.5, seq=2, track=3))
        seen.tab.wait_for_selector(".output h4", state="detached")
        assert seen.complaints == []


MAP = HeadMeta(
    name="map", kind="map", outputs=[{"name": name} for name in CELLS], lens="map@1.0", summary="where it is"
)
LOWER_LEFT = {name: float(name in ("y6x1", "y7x1")) for name in CELLS}
SAID = {"map": LOWER_LEFT}
RIGHT_HALF = Square((0.5, 0.0), (1.0, 0.0), (0.5, 1.0))
REDNESS = """(canvas, [x, y]) => {
  const copy = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  copy.drawImage(canvas, -x * canvas.width, -y * canvas.height);
  const pixel = copy.getImageData(0, 0, 1, 1).data;
  return pixel[3] && pixel[0] - pixel[2];
}"""


def explain_a_face(sink: Page) -> None:
    meta = meta_of("webcam", live=True)
    sink.send(replace(meta, heads=[*meta.heads, MAP]))
    for i in range(5):
        sink.send(live_estimate_at(i / 30, seq=i, track=3, outputs=ESTIMATE.outputs | SAID, square=RIGHT_HALF))


def test_without_a_picture_the_map_of_a_face_stands_beside_its_values(browser: "Browser") -> None:
    with page() as (sink, port), opened(browser, port) as seen:
        explain_a_face(sink)
        canvas = seen.tab.wait_for_selector(".face .heat canvas")
        assert canvas is not None
        seen.is_red(".face .heat canvas", 0.19, 0.87)
        assert canvas.evaluate(REDNESS, [0.94, 0.06]) == 0
        seen.says("#faces", "map: where it is")
        assert seen.complaints == []


def test_with_a_picture_the_map_lies_over_the_face(browser: "Browser") -> None:
    pictures = Pictures("plain")
    frame = Frame(np.full((120, 240, 3), 128, np.uint8), 0, 0.0, 0, None)
    pictures.look("webcam", Sightings(frame, [], [], [], 0, 0))
    with page(pictures=pictures) as (sink, port), opened(browser, port) as seen:
        explain_a_face(sink)
        seen.is_red("#picture-faces", 0.5 + 0.19 / 2, 0.87)
        overlay = seen.tab.query_selector("#picture-faces")
        assert overlay is not None
        assert overlay.evaluate(REDNESS, [0.19, 0.87]) == 0
        assert seen.tab.is_hidden(".face .heat canvas")
        seen.says("#faces", "map: where it is")
        assert seen.complaints == []


def show_recording(path: Path, *, video: Path | None = None) -> PageServer:
    server = PageServer(WebSettings(bind="127.0.0.1:0"))
    server.start(RecordedPage(read_courses(path), video=video).routes)
    return server


@pytest.fixture
def explained_recording(tmp_path: Path) -> Path:
    header = file_header()
    messages = [estimate_at(i / 10, seq=i, outputs=ESTIMATE.outputs | SAID, square=RIGHT_HALF) for i in range(10)]
    return record(tmp_path / "why.jsonl", messages, replace(header, heads=[*header.heads, MAP]))


def test_in_a_recording_the_map_of_a_face_is_drawn_as_in_a_run(browser: "Browser", explained_recording: Path) -> None:
    with closing(show_recording(explained_recording)) as server, opened(browser, server.address.port) as seen:
        canvas = seen.tab.wait_for_selector("#values .heat canvas")
        assert canvas is not None
        seen.is_red("#values .heat canvas", 0.19, 0.87)
        assert canvas.evaluate(REDNESS, [0.94, 0.06]) == 0
        seen.says("#values", "map: where it is")
        assert "y6x1" not in seen.tab.inner_text("#values")
        assert seen.complaints == []


def test_with_the_video_of_a_recording_the_map_lies_over_the_face(
    browser: "Browser", explained_recording: Path, tmp_path: Path
) -> None:
    grey = np.full((120, 240, 3), 128, np.uint8)
    video = write_frames(tmp_path / "why.webm", [grey] * 10, fps=10, codec="VP80")
    with (
        closing(show_recording(explained_recording, video=video)) as server,
        opened(browser, server.address.port) as seen,
    ):
        seen.tab.wait_for_function("() => document.querySelector('#video-faces').width === 240")
        overlay = seen.tab.query_selector("#video-faces")
        assert overlay is not None
        seen.is_red("#video-faces", 0.5 + 0.19 / 2, 0.87)
        assert overlay.evaluate(REDNESS, [0.19, 0.87]) == 0
        assert seen.tab.is_hidden("#values .heat canvas")
        assert overlay.bounding_box() == seen.tab.locator("#video").bounding_box()
        assert seen.complaints == []


def test_a_video_that_cannot_be_played_leaves_the_map_beside_the_values(
    browser: "Browser", explained_recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.webm").write_bytes(b"no video")
    with (
        closing(show_recording(explained_recording, video=tmp_path / "broken.webm")) as server,
        opened(browser, server.address.port) as seen,
    ):
        seen.tab.wait_for_selector("#video-error:not([hidden])")
        seen.tab.wait_for_selector("#values .heat canvas", state="visible")


def test_a_face_without_a_map_has_no_place_for_one(browser: "Browser") -> None:
    with page() as (sink, port), opened(browser, port) as seen:
        show_a_face(sink)
        seen.tab.wait_for_selector(".face")
        assert seen.tab.is_hidden(".face .heat")


def test_buttons_and_keys_give_commands_and_typing_does_not(browser: "Browser") -> None:
    clerk = Clerk()
    with page(actions=clerk) as (sink, port), opened(browser, port) as seen:
        show_a_face(sink)
        tab = seen.tab
        tab.wait_for_selector("#actions:not([hidden])")
        tab.fill("#mark-label", "brm 7")
        tab.press("#mark-label", "Enter")
        tab.wait_for_selector("#answer.good")
        tab.click("#baseline")
        tab.locator("#baseline").evaluate("(button) => button.blur()")
        tab.keyboard.press("7")
        tab.keyboard.press("r")
        tab.wait_for_selector("#record.on")
        seen.says("#summary", "session.jsonl")
        assert clerk.asked == [
            {"command": "mark", "label": "brm 7"},
            {"command": "baseline start", "seconds": 5},
            {"command": "mark", "label": "7"},
            {"command": "record"},
        ]
        sink.send(Event(stream="webcam", t_ns=1, event="marker", label="<b>not bold</b>", origin="ctl"))
        tab.wait_for_selector("#events .marker")
        seen.says("#events", "<b>not bold</b>")
        assert seen.complaints == []


def test_a_page_left_open_over_a_restart_comes_back_and_begins_anew(browser: "Browser") -> None:
    with page() as (sink, port), opened(browser, port) as seen:
        show_a_face(sink)
        seen.tab.wait_for_selector(".face")
        assert seen.tab.is_hidden("#actions")
        sink.close()
        seen.tab.wait_for_selector("#state.poor")
        with page(port=port) as (again, _):
            again.send(meta_of("door", live=True))
            again.send(live_estimate_at(0, stream="door", track=0))
            seen.tab.wait_for_selector("#state.good")
            seen.tab.wait_for_selector("text=face door/0")


def test_the_picture_is_shown_where_the_run_shows_it(browser: "Browser") -> None:
    pictures = Pictures("plain")
    with page(pictures=pictures) as (sink, port):
        image = np.full((90, 160, 3), (0, 0, 255), np.uint8)
        assert cv2.imencode(".jpg", image)[0]
        pictures.look("webcam", Sightings(Frame(image, 0, 0.0, 0, 0), (), (), (), 0, 0))
        show_a_face(sink)
        with opened(browser, port) as seen:
            seen.tab.wait_for_selector("#picture:not([hidden])")
            width = "() => new Promise((done) => document.querySelector('#picture-image').addEventListener('load', "
            assert seen.tab.evaluate(width + "(event) => done(event.target.naturalWidth)))") == 160
            assert seen.complaints == []


def test_the_token_opens_the_page_by_hand_and_by_the_address(browser: "Browser", tmp_path: Path) -> None:
    file = tmp_path / "token"
    with page(token_file=str(file)) as (sink, port):
        show_a_face(sink)
        token = file.read_text().strip()
        with opened(browser, port) as seen:
            seen.tab.fill("#token", "wrong-but-long-enough")
            seen.tab.press("#token", "Enter")
            seen.tab.wait_for_selector("text=this is not the token")
            seen.tab.fill("#token", token)
            seen.tab.press("#token", "Enter")
            seen.tab.wait_for_selector("#live:not([hidden])")
            show_a_face(sink)
            seen.tab.wait_for_selector(".face")
        with opened(browser, port, path=f"/#token={token}") as seen:
            show_a_face(sink, first=30)
            seen.tab.wait_for_selector(".face")
            assert token not in seen.tab.url


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    messages = [
        estimate_at(i / 25, seq=i, status="held" if 50 <= i < 75 else "ok", valence=i / 250 - 0.5) for i in range(250)
    ]
    marker = Event(stream="clip", t_ns=4_000_000_000, event="marker", label="stimulus 1", origin="ctl")
    return record(tmp_path / "interview.jsonl", [*messages, marker])


def test_the_voice_of_a_recording_is_drawn_in_the_colour_of_its_face_with_gaps(
    browser: "Browser", tmp_path: Path
) -> None:  # fmt: skip
    loud = {"arousal": 0.75, "arousal_interval": (0.5, 1.0)}
    quiet = {"state": "quiet", "arousal": None, "arousal_interval": None}
    said = [voice_at(i / 2, track=1 if i < 7 else None, **(quiet if 10 <= i < 15 else loud)) for i in range(1, 20)]
    path = record(tmp_path / "talk.jsonl", [*(estimate_at(i / 5, seq=i, track=1) for i in range(50)), *said])
    with closing(show_recording(path)) as server, opened(browser, server.address.port) as seen:
        over = seen.tab.locator("#recorded-voice .u-over")
        box = over.bounding_box()
        assert box is not None
        told, drawn = [], []
        for second in (2.0, 4.4, 6.2):
            over.click(position={"x": box["width"] * second / 10, "y": 60})
            seen.tab.wait_for_selector(f"text=at 0:0{int(second)}")
            told.append(seen.tab.inner_text("#voice-at"))
            drawn.append({tone: seen.tab.evaluate(LINE_AT, [second / 10 + 0.01, tone]) for tone in ("face-0", "faint")})
        assert told == ["face 1, +0.75 (+0.50 to +1.00)", "nobody’s, +0.75 (+0.50 to +1.00)", "nobody is heard"]
        assert drawn == [
            {"face-0": True, "faint": False},
            {"face-0": False, "faint": True},
            {"face-0": False, "faint": False},
        ]
        assert seen.complaints == []


# Whether a line of that colour is where an arousal of 0.75 is drawn, at this share of the time: not that of an axis.
LINE_AT = """([share, tone]) => {
  const canvas = document.querySelector("#recorded-voice canvas");
  const plot = document.querySelector("#recorded-voice .u-over").getBoundingClientRect();
  const all = canvas.getBoundingClientRect();
  const ratio = canvas.width / all.width;
  const x = (plot.left - all.left + share * plot.width) * ratio;
  const y = (plot.top - all.top + (1.02 - 0.75) / 2.04 * plot.height) * ratio;
  const wanted = getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).match(/[0-9a-f]{2}/g);
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const paint = copy.getContext("2d", { willReadFrequently: true });
  paint.drawImage(canvas, 0, 0);
  const { data } = paint.getImageData(Math.round(x), Math.round(y) - 3, 3, 7);
  const isWanted = (i) => wanted.every((two, part) => Math.abs(parseInt(two, 16) - data[i + part]) < 12);
  return [...data.keys()].some((i) => i % 4 === 0 && data[i + 3] > 200 && isWanted(i));
}"""


def test_a_recording_is_looked_at_cut_and_exported(browser: "Browser", recording: Path) -> None:
    with closing(show_recording(recording)) as server, opened(browser, server.address.port) as seen:
        tab = seen.tab
        over = tab.locator("#recorded-valence .u-over")
        over.wait_for()
        tab.wait_for_selector("#values .face")
        box = over.bounding_box()
        assert box is not None
        over.click(position={"x": box["width"] / 2, "y": 40})
        tab.wait_for_function("() => Math.abs(parseFloat(document.querySelector('#at').innerText.slice(5)) - 5) < 0.2")
        playwright.expect(tab.locator("#values dd").first).to_have_text(re.compile(r"[−+]?0\.0[012]\d*"))
        tab.click("#moments button")
        tab.wait_for_selector("text=at 0:04.00")
        tab.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 40)
        tab.mouse.down()
        tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 40, steps=4)
        tab.mouse.up()
        tab.click("#exclude")
        tab.wait_for_selector("#excluded li")
        tab.keyboard.press("+")
        with tab.expect_download() as download:
            tab.click("#export")
        lines = Path(download.value.path()).read_text().splitlines()
        times = [float(line.split(",")[2]) for line in lines[1:]]
        assert download.value.suggested_filename == "interview-shown.csv"
        assert lines[0].startswith("frame,face_id,timestamp,confidence,success,valence")
        assert times[0] > 1.0 and times[-1] < 9.0
        assert not any(6.2 < time < 7.8 for time in times)
        assert "stimulus 1" in "".join(lines)
        tab.click("#excluded button")
        tab.wait_for_selector("#excluded-card", state="hidden")
        assert seen.complaints == []
