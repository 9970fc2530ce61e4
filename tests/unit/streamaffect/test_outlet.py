"""Output whose reader sleeps, goes, or knows few letters, on real pipes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamaffect.outlet import ROOM_BYTES, Outlet

ROOT = Path(__file__).parents[3]
WAIT_S = 10.0


class Pipe:
    """A pipe with an outlet at its one end."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.reading, self.writing = os.pipe()
        self.outlet = Outlet(self.writing, encoding=encoding, remarks=True)

    def read(self) -> str:
        """What has been written so far."""
        assert self.outlet.drain(WAIT_S)
        return os.read(self.reading, 1 << 20).decode(self.outlet.encoding)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.outlet.retire()
    for descriptor in (pipe.reading, pipe.writing):
        os.close(descriptor)


def read_in_the_background(descriptor: int) -> Callable[[], str]:
    """Begin to read until nobody writes any more; returns what gives the text."""
    parts: list[bytes] = []

    def read() -> None:
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()

    def text() -> str:
        thread.join(WAIT_S)
        return b"".join(parts).decode()

    return text


def test_lines_come_out_as_they_went_in(pipe: Pipe) -> None:
    pipe.outlet.write("one\ntw")
    pipe.outlet.write("o\nthree")
    assert pipe.read() == "one\ntwo\nthree"


def test_who_writes_to_a_full_pipe_does_not_wait_and_the_reader_hears_how_much_is_missing(pipe: Pipe) -> None:
    started_s = time.monotonic()
    for number in range(100_000):
        pipe.outlet.write(f"line {number}\n")
    assert time.monotonic() - started_s < 5.0
    assert not pipe.outlet.drain(0.01)
    dropped = pipe.outlet.dropped
    assert dropped > 50_000
    text = read_in_the_background(pipe.reading)
    assert pipe.outlet.drain(WAIT_S)
    pipe.outlet.write("the end\n")
    pipe.outlet.retire()
    os.close(pipe.writing)
    pipe.writing = os.dup(pipe.reading)
    *lines, remark, last = text().splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]
    assert (remark, last) == (f"({dropped} lines were dropped here, since nobody read this output)", "the end")
    assert len(lines) + dropped == 100_000


def test_no_password_comes_out_even_if_it_goes_in_piece_by_piece(pipe: Pipe) -> None:
    for part in ("camera at rtsp://ann", ":sec", "ret@cam/1 is gone\n"):
        pipe.outlet.write(part)
    assert pipe.read() == "camera at rtsp://***@cam/1 is gone\n"


def test_what_the_encoding_lacks_becomes_a_question_mark() -> None:
    pipe = Pipe("ascii")
    pipe.outlet.write("22 °C → \udce9\n")
    assert pipe.read() == "22 ?C ? ?\n"


def test_a_reader_that_goes_is_no_error(pipe: Pipe) -> None:
    os.close(pipe.reading)
    for _ in range(100):
        pipe.outlet.write("nobody reads this\n" * 1000)
    assert pipe.outlet.drain(WAIT_S)
    pipe.reading = os.dup(pipe.writing)


def test_memory_is_bounded_while_nobody_reads(pipe: Pipe) -> None:
    for _ in range(100):
        pipe.outlet.write("x" * 10_000 + "\n")
    assert pipe.outlet._waiting_bytes <= ROOM_BYTES


def run(program: str, **redirections: int) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, text=True, **redirections)  # type: ignore[call-overload, no-any-return]


CHATTER = """
import logging, sys
from streamaffect.outlet import outlets
with outlets(1, 2, nobody_waits=True):
    logging.basicConfig(format="%(message)s")
    for number in range(200_000):
        logging.warning("log line %d", number)
        print("line", number)
"""


@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_a_program_ends_although_nobody_reads_its_output(which: str) -> None:
    other = "stderr" if which == "stdout" else "stdout"
    with run(CHATTER, **{which: subprocess.PIPE, other: subprocess.DEVNULL}) as process:
        assert process.wait(60) == 0


NATIVE = """
import os
from streamaffect.outlet import outlets
with outlets(1, 2, nobody_waits=True):
    written = 0
    try:
        while True:
            written += os.write(2, b"x" * 1000)  # as native code does
    except BlockingIOError:
        print("goes on")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_native_code_does_not_wait_either_and_the_pipe_of_others_stays_as_it_is() -> None:
    reading, writing = os.pipe()
    with run(NATIVE, stdout=subprocess.PIPE, stderr=writing) as process:
        assert process.communicate(timeout=WAIT_S)[0] == "goes on\n"
    assert os.get_blocking(writing)
    os.close(reading)
    os.close(writing)


CLOSED = """
import os, sys
from streamaffect.outlet import open_descriptors, outlets
open_descriptors()
with outlets(1, 2, nobody_waits=True):
    file = open(sys.argv[1], "w")
    print("standard output")
    os.write(1, b"native output")
    os.write(2, b"native error")
assert file.fileno() > 2, file.fileno()
"""


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_of_ours_gets_the_number_of_an_output_that_was_closed(tmp_path: Path, closing: str) -> None:
    command = f"{sys.executable} -c '{CLOSED}' {tmp_path}/recording {closing}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "recording").read_text() == ""
