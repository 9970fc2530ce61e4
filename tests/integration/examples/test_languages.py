"""The examples in other languages, built and run by the real tools; where a tool is absent, they skip."""

import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from streamaffect.messages import Message
from streamaffect.settings import OscSettings
from streamaffect.sinks.outlets.osc.outlet import OscOutlet
from tests.support.control.desks import meta
from tests.support.feeds import Feed, publishing
from tests.support.outlets.live import estimate, running
from tests.support.outlets.processes import free_port
from tests.support.recordings import estimate_at

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
WAIT_S = 60.0
SAID: list[Message] = [meta("cam"), estimate_at(1.0, stream="cam", seq=41)]


class Printed:
    """A program and the lines that it prints."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._seen: list[str] = []

    def line(self, wanted: str) -> str:
        """The next line with this in it; fails with all others where none comes."""
        while True:
            try:
                line = self._lines.get(timeout=WAIT_S)
            except queue.Empty:
                line = None
            assert line is not None, f"no line with {wanted!r} came, only {self._seen}"
            self._seen.append(line)
            if wanted in line:
                return line

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


@contextmanager
def printing(*command: str) -> Iterator[Printed]:
    program = Printed(command)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()
        assert program.process.stdout is not None
        program.process.stdout.close()


def needs(*programs: str, package: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian: {package})")


def put_until_heard(feed: Feed, program: Printed, wanted: str) -> str:
    """A subscription takes a moment: publish until a line shows that it is there."""
    stop = threading.Event()

    def publish() -> None:
        seq = 42
        while not stop.wait(0.02):
            feed.put(estimate_at(1.0 + seq / 25, stream="cam", seq=seq), estimate_at(1.0, stream="cam", seq=seq + 1))
            seq += 5  # three are missing each time

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        return program.line(wanted)
    finally:
        stop.set()
        publisher.join()


def test_cpp_reads_what_was_said_before_it_came_and_counts_what_is_missing(tmp_path: Path) -> None:
    needs("g++", package="g++ cppzmq-dev nlohmann-json3-dev")
    compiler = ["g++", "-std=c++17", str(EXAMPLES / "subscribe.cpp"), "-lzmq", "-o", str(tmp_path / "subscribe")]
    built = subprocess.run(compiler, capture_output=True, text=True, timeout=WAIT_S * 1.5, check=False)
    if "No such file" in built.stderr:
        pytest.skip("needs zmq.hpp and nlohmann/json.hpp (Debian: cppzmq-dev nlohmann-json3-dev)")
    assert built.returncode == 0, built.stderr
    with publishing(said=SAID) as feed, printing(str(tmp_path / "subscribe"), feed.address, "cam") as program:
        assert program.line("cam: ").startswith("cam: test@1 on test. ")
        assert program.line("seq 41") == "cam face 3 seq 41 ok valence 0.31 arousal -0.12 lost 0"
        put_until_heard(feed, program, "lost 3")
        feed.put(estimate_at(9.0, stream="cam", seq=9_999, valence=None, arousal=None, status="abstain"))
        assert "abstain lost" in program.line("seq 9999")


def test_r_reads_estimates_into_a_table(tmp_path: Path) -> None:
    needs("Rscript", package="r-base-core r-cran-pbdzmq r-cran-jsonlite")
    packages = ["Rscript", "-e", "stopifnot(requireNamespace('pbdZMQ'), requireNamespace('jsonlite'))"]
    if subprocess.run(packages, capture_output=True, timeout=WAIT_S, check=False).returncode:
        pytest.skip("needs pbdZMQ and jsonlite (Debian: r-cran-pbdzmq r-cran-jsonlite)")
    table = tmp_path / "out.csv"
    with (
        publishing(said=SAID) as feed,
        printing("Rscript", str(EXAMPLES / "subscribe.R"), feed.address, "5", str(table)) as program,
    ):
        program.line("cam: test@1. ")
        line = put_until_heard(feed, program, "estimates, ")
        program.process.wait(WAIT_S)
    count, lost = (int(word) for word in line.replace(",", "").split() if word.isdigit())
    assert count > 10
    assert lost in (3 * (count // 2), 3 * (count // 2) - 3)
    lines = table.read_text().splitlines()
    assert len(lines) == count + 1
    assert lines[1].split(",")[4:] == ['"ok"', "0.31", "-0.12"]


def test_csharp_reads_the_newest_values_by_open_sound_control(tmp_path: Path) -> None:
    needs("mcs", "mono", package="mono-mcs mono-runtime")
    program_file, port = tmp_path / "AffectReceiver.exe", free_port()
    compiler = ["mcs", "-warnaserror", f"-out:{program_file}", str(EXAMPLES / "AffectReceiver.cs")]
    subprocess.run(compiler, check=True, timeout=WAIT_S)
    settings = OscSettings(address=f"127.0.0.1:{port}", faces="slots")
    with printing("mono", str(program_file), str(port)) as program:
        program.line("ready")
        with closing(OscOutlet(settings)) as outlet, running(outlet) as sink:
            sink.put(estimate("cam", track=7, valence=0.25))
            assert program.line("/valence ") == "/affect/cam/1/valence 0.25"
            assert program.line("/valence_interval ").startswith("/affect/cam/1/valence_interval 0.12 0.48")
            sink.put(msgspec.structs.replace(estimate("cam", track=7), status="abstain", valence=None, arousal=None))
            assert program.line("/status abstain") == "/affect/cam/1/status abstain"


def test_csharp_of_unity_compiles_with_what_unity_gives_it(tmp_path: Path) -> None:
    needs("mcs", package="mono-mcs")
    unity = tmp_path / "Unity.cs"
    unity.write_text("namespace UnityEngine { public class MonoBehaviour { } }")
    words = ["-define:UNITY_5_3_OR_NEWER", "-target:library", f"-out:{tmp_path / 'game.dll'}", str(unity)]
    subprocess.run(["mcs", "-warnaserror", *words, str(EXAMPLES / "AffectReceiver.cs")], check=True, timeout=WAIT_S)
