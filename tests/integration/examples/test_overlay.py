"""The example of a browser page, in a real browser: it reads the values of a run, also after that was started anew."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streamaffect.messages import Event
from tests.support.recordings import START_NS, live_estimate_at
from tests.support.web.pages import WAIT_S, browser_path, page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


class Silent(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder as `python -m http.server` serves it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_page_of_ones_own_shows_each_face_and_comes_back_with_the_run() -> None:
    with served(EXAMPLES) as mine, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        with closing(browser), page(origins=[mine]) as (sink, port):
            tab = browser.new_page()
            tab.set_default_timeout(WAIT_S * 1000)
            sink.send(live_estimate_at(0, track=3))
            tab.goto(f"{mine}/overlay.html?run=127.0.0.1:{port}")
            tab.get_by_text("webcam, face 3: ok").wait_for()
            assert tab.locator("meter").first.evaluate("bar => bar.value") == pytest.approx(0.31)
            sink.send(live_estimate_at(1, track=3, status="abstain", valence=None, arousal=None))
            tab.locator(".unsure", has_text="face 3: abstain").wait_for()
            sink.send(Event(stream="webcam", t_ns=START_NS, event="marker", label="film 1"))
            tab.get_by_text("live: film 1").wait_for()
            sink.send(Event(stream="webcam", t_ns=START_NS, event="track_lost", track=3))
            tab.get_by_text("face 3").wait_for(state="detached")
            sink.close()
            tab.get_by_text("waiting").wait_for()
            with page(port=port, origins=[mine]) as (again, _):
                again.send(live_estimate_at(2, track=1))
                tab.get_by_text("webcam, face 1: ok").wait_for()


def test_a_page_of_an_address_that_is_not_named_reads_nothing() -> None:
    with served(EXAMPLES) as mine, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        with closing(browser), page() as (sink, port):
            sink.send(live_estimate_at(0))
            tab = browser.new_page()
            tab.set_default_timeout(WAIT_S * 1000)
            tab.goto(f"{mine}/overlay.html?run=127.0.0.1:{port}")
            tab.wait_for_function("events.readyState === EventSource.CLOSED")  # refused, and not to be tried again
            assert tab.locator("meter").count() == 0
