"""Cameras behind TLS, with a certificate that they have signed themselves, as they do."""

import contextlib
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from tests.support.http_stream import HttpVideo
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import picture

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
ANN = Credentials("ann", "s3cret", "Digest")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    file = tmp_path_factory.mktemp("tls") / "camera.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=camera"]
    subprocess.run(["openssl", *words, "-keyout", file, "-out", file, "-quiet"], check=False, capture_output=True)
    if not file.exists() or b"CERTIFICATE" not in file.read_bytes():
        key = file.with_suffix(".key")
        subprocess.run(["openssl", *words, "-keyout", key, "-out", file], check=True, capture_output=True)
        file.write_bytes(key.read_bytes() + file.read_bytes())
    return file


@contextmanager
def encrypted(port: int, certificate: Path) -> Iterator[int]:
    """A port at which the server at `port` speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client,
            context.wrap_socket(client, server_side=True) as guest,
            socket.create_connection(("127.0.0.1", port)) as server,
        ):
            _pass_on(guest, server)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=listener.accept()[:1]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join(10)


def _pass_on(guest: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([guest, server], [], [])
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (server if source is guest else guest).sendall(data)


@pytest.mark.parametrize("scheme", ["rtsps", "https"])
def test_pictures_come_over_an_encrypted_line(certificate: Path, scheme: str) -> None:
    kind = RtspServer if scheme == "rtsps" else HttpVideo
    # Large pictures: several records of the encryption come at once.
    with (
        kind(picture=lambda number: picture(number % 32, width=640, height=480), credentials=ANN) as server,
        encrypted(server.port, certificate) as port,
        make_source(f"{scheme}://ann:s3cret@127.0.0.1:{port}/live", settings=SETTINGS) as source,
    ):
        source.open()
        assert {source.read().image.shape for _ in range(30)} == {(480, 640, 3)}
