"""A file of prompts that is saved again while it is watched."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect.errors import PromptError
from streamaffect.prompts.watch import PromptFile

WAIT_S = 20.0


class Reader:
    """Takes what is in the file, or says that it is broken; done is set each time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.taken: list[str] = []
        self.tried = threading.Semaphore(0)

    def take(self) -> None:
        try:
            text = self.file.read_text() if self.file.exists() else "broken: gone"
            if text.startswith("broken"):
                raise PromptError(f"{self.file}: {text}")
            self.taken.append(text)
        finally:
            self.tried.release()

    def after(self, change: Callable[[], object]) -> None:
        """Do it, and wait until the change was seen."""
        change()
        assert self.tried.acquire(timeout=WAIT_S)


@contextmanager
def watching(reader: Reader) -> Iterator[None]:
    watch = PromptFile(reader.file, reader.take, poll_s=0.01)
    try:
        yield
    finally:
        watch.close()


def test_each_change_is_taken_once_whether_it_was_written_or_moved_there(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "mine.toml")
    reader.file.write_text("first")
    with watching(reader):
        reader.after(lambda: reader.file.write_text("the second"))
        (tmp_path / "new").write_text("a third")
        reader.after(lambda: (tmp_path / "new").rename(reader.file))
    assert reader.taken == ["the second", "a third"]


def test_a_broken_file_is_said_once_and_a_good_one_is_taken_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader(tmp_path / "mine.toml")
    reader.file.write_text("first")
    with watching(reader), caplog.at_level(logging.WARNING, "streamaffect.prompts"):
        reader.after(lambda: reader.file.write_text("broken"))
        reader.after(lambda: reader.file.rename(tmp_path / "away"))
        (tmp_path / "away").write_text("broken: gone")
        reader.after(lambda: (tmp_path / "away").rename(reader.file))
        reader.after(lambda: reader.file.write_text("good"))
    assert reader.taken == ["good"]
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition("mine.toml: ")[2] for text in said] == [
        "broken; the prompts stay as they were",
        "broken: gone; the prompts stay as they were",
    ]
