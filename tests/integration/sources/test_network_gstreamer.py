"""GStreamer's RTSP server in place of our own: H.264, its logins, TCP and UDP. Skipped where it is not installed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from streamaffect.errors import SourceForbiddenError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source

SERVER = Path(__file__).parents[2] / "support" / "cameras" / "gst_rtsp_server.py"
MISSING = 77


@contextmanager
def serving(scheme: str) -> Iterator[int]:
    """The port of a running server."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")  # GStreamer comes with the system
    if python is None:
        pytest.skip("the system has no Python with GStreamer")
    with subprocess.Popen([python, str(SERVER), scheme], stdout=subprocess.PIPE, text=True, env={}) as process:
        assert process.stdout is not None
        port = process.stdout.readline()
        try:
            if not port and process.wait(10) == MISSING:
                pytest.skip("GStreamer's RTSP server is not installed")
            yield int(port)
        finally:
            process.kill()


@pytest.mark.parametrize("scheme", ["none", "basic", "digest"])
def test_the_right_password_opens_it_and_a_wrong_one_does_not(scheme: str) -> None:
    settings = SourceSettings(open_timeout_s=30.0, read_timeout_s=10.0)
    with serving(scheme) as port:
        with make_source(f"rtsp://ann:s3cret@127.0.0.1:{port}/live", settings=settings) as source:
            info = source.open()
            frames = [source.read() for _ in range(10)]
        assert (info.width, info.height, info.fps) == (320, 240, 25.0)
        assert frames[-1].index >= frames[0].index + 9
        if scheme == "none":
            return
        for credentials, message in (("ann:wrong@", "refuses this user and password"), ("", "asks for a user")):
            source = make_source(f"rtsp://{credentials}127.0.0.1:{port}/live", settings=settings)
            with source, pytest.raises(SourceForbiddenError, match=message):
                source.open()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_over_both_transports(transport: Literal["tcp", "udp"]) -> None:
    settings = SourceSettings(open_timeout_s=30.0, read_timeout_s=10.0, rtsp_transport=transport)
    with (
        serving("digest") as port,
        make_source(f"rtsp://ann:s3cret@127.0.0.1:{port}/live", settings=settings) as source,
    ):
        source.open()
        assert {source.read().image.shape for _ in range(30)} == {(240, 320, 3)}
