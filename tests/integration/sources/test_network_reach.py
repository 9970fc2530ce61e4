"""Whom a camera can make this program ask: the host that the user named, and nobody else unless the user says so."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from streamaffect.errors import SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from tests.support.http_stream import Hls, HttpVideo, cut_into_pieces
from tests.support.rtsp_server import RtspServer
from tests.support.videos import number_of, picture

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=1.0)


class Witness:
    """A host by another name that notes who asks it for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port: int = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def handle(self) -> None:
                asked.append(self.rfile.readline().decode("latin-1"))

        return Handler


@pytest.fixture
def witness() -> Iterator[Witness]:
    witness = Witness()
    yield witness
    witness.close()


def opening_error(url: str, settings: SourceSettings = SETTINGS) -> str:
    with pytest.raises(SourceOpenError) as caught, make_source(url, settings=settings) as source:
        source.open()
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps"])
def test_an_rtsp_redirect_to_another_host_is_not_followed(witness: Witness, scheme: str) -> None:
    with RtspServer(lambda _: picture(0), moved_to=f"{scheme}://localhost:{witness.port}/live") as server:
        message = opening_error(server.url)
    assert "refers to another one, localhost" in message
    assert "--set 'source.redirect_hosts=[\"localhost\"]'" in message
    assert witness.asked == []


def test_a_host_that_redirects_just_after_its_description_is_not_followed(witness: Witness) -> None:
    moved_to = f"rtsp://localhost:{witness.port}/live"
    with RtspServer(lambda _: picture(0), moved_to=moved_to, moves_after=1) as server:
        assert "sends on to another address" in opening_error(server.url)
        assert server.connections == 1
    assert witness.asked == []


def test_an_rtsp_camera_is_asked_once_and_over_one_connection() -> None:
    with RtspServer(lambda number: picture(number % 32)) as server:
        with make_source(server.url, settings=SETTINGS) as source:
            source.open()
        while "TEARDOWN" not in server.asked:
            time.sleep(0.01)
        assert server.asked == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
        assert server.connections == 1


def test_an_rtsp_redirect_to_the_same_host_is_followed() -> None:
    with (
        RtspServer(lambda number: picture(number % 32)) as there,
        RtspServer(lambda _: picture(0), moved_to=there.url) as here,
        make_source(here.url, settings=SETTINGS) as source,
    ):
        assert source.open().address == here.url
        assert source.read().image.shape == (48, 64, 3)


def test_an_http_redirect_to_another_host_is_not_followed(witness: Witness) -> None:
    with HttpVideo(moved_to=f"http://localhost:{witness.port}/live") as server:
        assert "refers to another one, localhost" in opening_error(f"{server.url}/moved")
    assert witness.asked == []


def test_an_http_redirect_to_another_host_is_followed_where_the_user_allows_it(witness: Witness) -> None:
    allowed = SourceSettings(open_timeout_s=2.0, redirect_hosts=["localhost"])
    with HttpVideo(moved_to=f"http://localhost:{witness.port}/there?a=b") as server:
        assert "takes the connection and closes it" in opening_error(f"{server.url}/moved", allowed)
    assert witness.asked == ["GET /there?a=b HTTP/1.1\r\n"]


def test_an_http_redirect_to_the_same_host_is_followed() -> None:
    with HttpVideo() as server, make_source(f"{server.url}/moved", settings=SETTINGS) as source:
        assert source.open().live
        assert server.asked == ["/moved", "/live"]


@pytest.mark.parametrize(
    "elsewhere",
    ["rtsp://127.0.0.1/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "tcp://127.0.0.1:1"],
)
def test_a_redirect_to_another_protocol_is_not_followed(elsewhere: str) -> None:
    with HttpVideo(moved_to=elsewhere) as server:
        scheme = elsewhere.partition(":")[0]
        assert f"refers to {scheme}://, which is not allowed" in opening_error(f"{server.url}/moved")


def test_redirects_in_a_circle_come_to_an_end() -> None:
    with HttpVideo(moved_to="/moved") as server:
        assert "without end" in opening_error(f"{server.url}/moved")
        assert len(server.asked) <= 6


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/x.ts",
        "//localhost:{port}/x.ts",
        "crypto+http://localhost:{port}/x",
        '#EXT-X-KEY:METHOD=AES-128,URI="https://localhost:{port}/key"\n0.ts',
        '#EXT-X-MAP:URI="http://localhost:{port}/init.mp4"\n0.ts',
    ],
)
def test_a_playlist_that_leads_to_another_host_is_refused(witness: Witness, address: str) -> None:
    hls = Hls([b""] * 9, 1.0, address=lambda _: address.format(port=witness.port))
    with HttpVideo(hls=hls) as server:
        message = opening_error(f"{server.url}/live.m3u8")
    assert "refers to" in message
    assert witness.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "concat:/etc/passwd",
        "data:text/plain,x",
        "subfile,,start,0,end,9,,:/etc/passwd",
    ],
)
def test_a_playlist_cannot_name_a_file_of_this_machine(tmp_path: Path, address: str) -> None:
    with HttpVideo(hls=Hls([b""] * 9, 1.0, address=lambda _: address)) as server:
        opening_error(f"{server.url}/live.m3u8")
        assert all(path == "/live.m3u8" or path.startswith("/etc/") for path in server.asked)


class OneFile(Hls):
    """All pieces are parts of the last one, and the host sends the whole of it to whoever asks for a part."""

    def playlist(self) -> str:
        lines = super().playlist().splitlines()
        return "\n".join([*(self._part(line) if line.endswith(".ts") else line for line in lines), ""])

    def _part(self, line: str) -> str:
        number, last = int(Path(line).stem), len(self.pieces) - 1
        start = sum(map(len, self.pieces[:number]))
        return f"#EXT-X-BYTERANGE:{len(self.pieces[number])}@{start}\n{last}.ts"


def test_a_playlist_of_parts_of_one_file_is_read_in_order(tmp_path: Path) -> None:
    pieces = cut_into_pieces(tmp_path, pieces=12, piece_s=0.5)
    hls = OneFile([*pieces, b"".join(pieces)], 0.5)
    with HttpVideo(hls=hls) as server, make_source(f"{server.url}/live.m3u8", settings=SETTINGS) as source:
        source.open()
        frames = [source.read() for _ in range(40)]
    for earlier, later in pairwise(frames):
        assert (number_of(later.image) - number_of(earlier.image)) % 32 == later.index - earlier.index


def test_a_playlist_with_pieces_at_the_same_host_is_read_at_its_own_pace(tmp_path: Path) -> None:
    hls = Hls(cut_into_pieces(tmp_path, pieces=12, piece_s=0.5), 0.5)
    with HttpVideo(hls=hls) as server, make_source(f"{server.url}/live.m3u8", settings=SETTINGS) as source:
        info = source.open()
        frames = [source.read() for _ in range(40)]
    assert (info.kind, info.live, info.width) == ("http", True, 64)
    skipped = frames[-1].index - frames[0].index - 39
    assert skipped < 60, "pictures of one piece came in one burst"  # of which all but the last would be skipped
    assert frames[-1].time_s - frames[0].time_s > 1.2
