"""A camera's password in every place where it can stand, at debug level with all outputs on: nowhere in any of them."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq

from tests.support.bundles import write_bundle
from tests.support.feeds import WAIT_S
from tests.support.recordings import estimate_at, record
from tests.support.rtsp_server import Credentials, RtspServer
from tests.support.videos import picture

ROOT = Path(__file__).parents[3]
SECRET = "hunter2"
URL = f"rtsp://ann:{SECRET}@127.0.0.1:9/live"
SPACED = f"rtsp://ann:1; {SECRET}@127.0.0.1:9/live"
MISTAKES = [
    f"run --source {URL}",
    f"run --source ' {URL}'",
    f"run --source a=b={URL}",
    f"run --source replay:{URL}",
    f"run --source rtsp:/ann:{SECRET}@127.0.0.1/live",
    f"run --source rtsp:ann:{SECRET}@127.0.0.1/live",
    f"run --source ann:{SECRET}@127.0.0.1/live",
    f"run --source ftp://ann:{SECRET}@127.0.0.1/live",
    f"run --source 'rtsp://ann:{SECRET} {SECRET}@127.0.0.1/live'",
    f"run --source 'http://127.0.0.1:9/live?user=ann&password={SECRET}'",
    f"run --source http://127.0.0.1:9/user=ann_password={SECRET}_channel=1",
    f"run --source demo --record {URL}",
    f"run --source demo --bundle {URL}",
    f"run --source demo --config {URL}",
    f"run --source demo --bind tcp://ann:{SECRET}@127.0.0.1:5556",
    f"run --source demo --set run.sources={URL}",
    f"run --source demo --set run.source={URL}",
    f"run --source demo --set '{URL}'",
    f"run --source demo --set feed.bind={URL}",
    f"run --source demo --set faces.tiles={URL}",
    f"run --source demo --engine {URL}",
    f"run --source demo {URL}",
    f"run --source {URL} --config SETTINGS",
    "run --config SETTINGS",
    "run --config LIST --print-config",
    f"run --source '{URL}' --set 'run.record={URL}' --print-config",
    f"listen {URL}",
    f"listen --stream {URL}",
    f"replay {URL}",
    f"export {URL} out.csv",
    f"export RECORDING.jsonl {URL}",
    f"export RECORDING.jsonl out.csv --stream {URL}",
    f"doctor {URL}",
    f"keys keys --client {URL}",
    f"bench --video {URL}",
    f"{URL}",
    f"run --source rtsp://ann:a://{SECRET}@127.0.0.1:9/live",
    f"run --source 'rtsp://ann:1/ {SECRET}@127.0.0.1:9/live'",
    f"run --source 'rtsp://ann:1; {SECRET}@127.0.0.1:9/live'",
    f"run --source rtsp://ann:first {SECRET}@127.0.0.1:9/live",
    f"run --source rtsp://ann:{SECRET}/first@127.0.0.1:9/live",
    f"run --source rtsp://ann:{SECRET}@[fe80::1:9/live",
    f"run --source rtsp://ann%3A{SECRET}@127.0.0.1:9/live",
    f"run --source rtsp%3A%2F%2Fann%3A{SECRET}%40127.0.0.1%2Flive",
    f"run --source RTSP://ANN:{SECRET}@127.0.0.1:9/live",
    f"run --source 'http://127.0.0.1:9/live?token={SECRET}#x'",
    f"run --source 'ann:1 {SECRET}@127.0.0.1/live'",
    f"run --source 'replay:rtsp://ann:1/ {SECRET}@127.0.0.1:9/live'",
    f"run --source demo --record 'rtsp://ann:1; {SECRET}@127.0.0.1:9/live'",
    f"run --source demo --bind 'tcp://ann:1; {SECRET}@127.0.0.1:5556'",
    f"run --source demo --set 'run.sources=rtsp://ann:a {SECRET}@127.0.0.1:9/live'",
    f"run --source demo --set 'run.bundle=rtsp://ann:1/ {SECRET}@127.0.0.1:9/live'",
    f"run --source demo --set 'run.sources=[\"rtsp://ann:1; {SECRET}@127.0.0.1:9/live\", 1]'",
    f"run --source demo --set 'faces.tiles=rtsp://ann:1; {SECRET}@127.0.0.1:9/live'",
    f"run --source demo --set 'rtsp://ann:1; {SECRET}@127.0.0.1:9/live'",
    "run --config BROKEN",
    "run --config WRONG",
    "run --config SPACES --print-config",
]


# All in one process, one command after the other, each with outputs of its own as in a shell.
ALL = """
import json, os, sys
from streamaffect.cli import main

codes = []
for i, words in enumerate(json.load(sys.stdin)):
    output = os.open(str(i), os.O_CREAT | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    try:
        codes.append(main(words))
    except SystemExit as end:
        codes.append(end.code)
print(json.dumps(codes), file=open("codes", "w"))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """The exit code of every mistake, and all that was said."""
    folder = tmp_path_factory.mktemp("mistakes")
    settings = {
        "SETTINGS": f'[run]\nsources = "{URL}"\n',
        "LIST": f'[run]\nsources = ["door={URL}", "demo"]\nrecord = "{URL}"\n',
        "BROKEN": f'[run]\nsources = ["{SPACED}"\n{SPACED} = {SECRET}\n',
        "WRONG": f'[run]\nsources = "{SPACED}"\n"{SPACED}" = 1\n',
        "SPACES": f'[run]\nsources = ["{URL}"]\nrecord = "{SPACED}"\n',
    }
    for name, content in settings.items():
        (folder / name).write_text(content)
    record(folder / "RECORDING.jsonl", [estimate_at(0.0)])
    commands = []
    for mistake in MISTAKES:
        words = [str(folder / word) if word in settings else word for word in shlex.split(mistake)]
        words += ["--log-level", "debug"] if mistake != URL else []
        words += ["--bind", "tcp://127.0.0.1:0"] if words[0] == "run" and "bind" not in mistake else []
        commands.append(words)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", ALL], input=json.dumps(commands), cwd=folder, env=environment, text=True, check=True
    )
    codes = json.loads((folder / "codes").read_text())
    return {
        mistake: (code, (folder / str(i)).read_text())
        for i, (mistake, code) in enumerate(zip(MISTAKES, codes, strict=True))
    }


@pytest.mark.parametrize("mistake", MISTAKES)
def test_no_mistake_repeats_a_password(outcomes: dict[str, tuple[int, str]], mistake: str) -> None:
    code, said = outcomes[mistake]
    assert said != ""
    assert SECRET not in said
    assert "Traceback" not in said
    assert (code == 0) is ("--print-config" in mistake)
    if "--print-config" in mistake:
        assert 'rtsp://***@127.0.0.1:9/live"' in said
        assert "# credentials in run.sources are not shown" in said


def test_nothing_that_leaves_a_running_stream_holds_a_password(tmp_path: Path) -> None:
    bundle, recording, address = write_bundle(tmp_path / "bundle"), tmp_path / "run.jsonl", f"ipc://{tmp_path}/feed"
    seen: list[bytes] = []
    terminal, child_end = pty.openpty()

    def read_terminal() -> None:
        try:
            while part := os.read(terminal, 1 << 16):
                seen.append(part)
        except OSError:
            pass

    reader = threading.Thread(target=read_terminal)
    reader.start()
    with (
        RtspServer(lambda number: picture(number % 32), credentials=Credentials("ann", SECRET)) as server,
        zmq.Context() as context,
        context.socket(zmq.SUB) as everything,
    ):
        everything.setsockopt(zmq.LINGER, 0)
        everything.subscribe(b"")
        everything.connect(address)
        url = server.url.replace("://", f"://ann:{SECRET}@") + f"?token={SECRET}"
        (tmp_path / "settings.toml").write_text(f'[run]\nsources = ["door={url}"]\n')
        words = ["--config", str(tmp_path / "settings.toml"), "--bundle", str(bundle), "--record", str(recording)]
        command = [sys.executable, "-m", "streamaffect", "run", *words, "--bind", address, "--log-level", "debug"]
        with subprocess.Popen(command, cwd=ROOT, stdin=child_end, stdout=child_end, stderr=child_end) as process:
            os.close(child_end)
            kinds = _until(everything, b"health/door/", seen)
            server.kill()
            kinds |= _until(everything, b"event/door/", seen)
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_S)
    reader.join(WAIT_S)
    os.close(terminal)
    assert kinds >= {b"meta", b"health", b"event"}
    everything_said = b"".join(seen) + recording.read_bytes()
    assert b"rtsp://***@127.0.0.1" in everything_said
    assert SECRET.encode() not in everything_said
    assert all(SECRET.encode() not in path.name.encode() for path in tmp_path.rglob("*"))


def _until(feed: "zmq.Socket[bytes]", topic: bytes, seen: list[bytes]) -> set[bytes]:
    """Kinds of the messages up to one of this topic; all are kept."""
    kinds = set()
    deadline_s = time.monotonic() + 40
    while True:
        assert feed.poll(1000) or time.monotonic() < deadline_s, f"nothing came on {topic.decode()}"
        if not feed.poll(0):
            continue
        found, payload = feed.recv_multipart()
        seen += [found, payload]
        kinds.add(found.partition(b"/")[0])
        if found == topic:
            return kinds
