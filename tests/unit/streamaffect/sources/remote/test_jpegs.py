"""Whole pictures out of bytes that come in any pieces, whatever stands between them."""

import itertools

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from streamaffect.sources.remote.jpegs import END, JpegScanner

RANDOM = np.random.default_rng(0)


def jpeg(*, progressive: bool = False, restarts: int = 0) -> bytes:
    noise = RANDOM.integers(0, 256, (48, 64, 3), np.uint8)
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive), cv2.IMWRITE_JPEG_RST_INTERVAL, restarts]
    return cv2.imencode(".jpg", noise, options)[1].tobytes()


def with_thumbnail(picture: bytes) -> bytes:
    thumbnail = jpeg()
    return picture[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + picture[2:]


PICTURES = [jpeg(), jpeg(progressive=True), jpeg(restarts=2), with_thumbnail(jpeg())]


def found_in(pieces: list[bytes]) -> list[bytes]:
    scanner, found = JpegScanner(), []
    for piece in pieces:
        scanner.give(piece)
        while (picture := scanner.take()) is not None:
            found.append(picture)
    return found


@given(
    st.lists(st.sampled_from(PICTURES), max_size=4),
    st.lists(st.binary(max_size=40).filter(lambda some: b"\xff" not in some), min_size=5, max_size=5),
    st.integers(1, 5000),
)
def test_every_picture_is_found_whatever_stands_between_and_however_it_comes(
    pictures: list[bytes], between: list[bytes], size: int
) -> None:
    whole = between[-1] + b"".join(itertools.chain(*zip(pictures, between, strict=False)))
    assert found_in([whole[at : at + size] for at in range(0, len(whole), size)]) == pictures


@pytest.mark.parametrize("kept", [3, 100, 0.5, -1])
def test_a_picture_that_breaks_off_is_left_out_and_the_next_one_is_found(kept: float) -> None:
    broken = PICTURES[0][: int(kept * len(PICTURES[0])) if isinstance(kept, float) else int(kept)]
    assert found_in([PICTURES[1] + broken + b"\r\n--frame\r\n" + PICTURES[2] + PICTURES[0]]) in (
        [PICTURES[1], PICTURES[2], PICTURES[0]],
        [PICTURES[1], PICTURES[0]],  # what was announced of the broken one was taken out of the next
    )


def test_a_camera_that_sends_no_ends_is_understood() -> None:
    picture = PICTURES[0].removesuffix(END)
    assert found_in([picture * 3]) == [PICTURES[0]] * 2


def test_what_never_ends_is_not_kept() -> None:
    scanner = JpegScanner()
    for _ in range(80):
        scanner.give(b"no picture" * 100_000)
        assert scanner.take() is None
    assert len(scanner._bytes) < 100


def test_any_bytes_are_gone_over() -> None:
    scanner = JpegScanner()
    for _ in range(300):
        scanner.give(b"\xff\xd8\xff" + RANDOM.integers(0, 256, 500, np.uint8).tobytes())
        while scanner.take() is not None:
            pass
    scanner.give(PICTURES[0] * 200)
    assert scanner.take() is not None


def test_a_picture_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.sources.remote.jpegs.MOST_BYTES", 10_000)
    scanner = JpegScanner()
    scanner.give(PICTURES[0].removesuffix(END))
    for _ in range(20):
        scanner.give(bytes(1000))
        assert scanner.take() is None
    scanner.give(PICTURES[1])
    assert scanner.take() == PICTURES[1]
