"""A device decodes where one can, the processor where none does, and it is said once."""

import logging
from collections.abc import Iterator

import av
import numpy as np
import pytest
from av.error import PermissionError as AvPermissionError

from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video import hwaccel
from streamaffect.sources.video.av_reader import AvReader
from streamaffect.sources.video.canvas import Canvas
from streamaffect.sources.video.hwaccel import decoding_device
from streamaffect.types import pixels


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    hwaccel._first_that_works.cache_clear()
    yield
    hwaccel._first_that_works.cache_clear()


class Device:
    """In the place of PyAV's: of the kinds, `cuda` is not here, `qsv` decodes nothing, and `vaapi` works."""

    def __init__(self, kind: str, *, allow_software_fallback: bool) -> None:
        assert allow_software_fallback
        self.kind = kind

    def create(self, codec: object) -> "Device":
        assert codec is not None
        if self.kind == "cuda":
            raise AvPermissionError(1, "Operation not permitted")
        if self.kind == "qsv":
            raise NotImplementedError("No supported hardware config")
        return self


def of_kinds(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    monkeypatch.setattr(hwaccel, "HWAccel", Device)
    monkeypatch.setattr(hwaccel, "hwdevices_available", lambda: list(kinds))


def test_the_first_device_that_works_decodes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    of_kinds(monkeypatch, "cuda", "qsv", "vaapi")
    assert getattr(decoding_device("auto"), "kind", None) == "vaapi"
    assert "vaapi decodes" in caplog.text


@pytest.mark.parametrize(("kinds", "told"), [(("cuda", "qsv"), "tried cuda, qsv"), ((), "without any")])
def test_without_one_the_processor_decodes_and_one_line_says_so(
    kinds: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    of_kinds(monkeypatch, *kinds)
    assert decoding_device("auto") is None
    assert decoding_device("auto") is None
    assert [told in record.message for record in caplog.records] == [True]


def test_nobody_looks_for_a_device_who_does_not_want_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    of_kinds(monkeypatch, "vaapi")
    assert decoding_device("off") is None
    assert not caplog.records


def test_a_file_is_read_whatever_this_machine_has(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    plain, other = AvReader(DEMO_CLIP), AvReader(DEMO_CLIP, hwaccel="auto")
    for _ in range(5):
        one, two = plain.next(), other.next()
        assert one is not None
        assert two is not None
        assert one[0] == two[0]
        assert np.array_equal(pixels(one[1]), pixels(two[1]))
    plain.close()
    other.close()
    assert sum("source.hwaccel" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080)])
def test_a_devices_frame_is_shown_as_the_processors(size: tuple[int, int]) -> None:
    """What NVIDIA's decoder gives is NV12; a picture of each size goes another way."""
    with av.open(str(DEMO_CLIP)) as container:
        track = container.streams.video[0]
        frame = next(container.decode(track)).reformat(*size)
        alternating = frame.reformat(format="nv12")
        shown, its = Canvas(track).show(frame), Canvas(track).show(alternating)
        assert type(shown) is type(its)
        assert np.array_equal(pixels(shown), pixels(its))
