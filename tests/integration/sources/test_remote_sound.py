"""The sound of network cameras beside their pictures: real RTSP with and without sender reports, real HLS."""

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from streamaffect.pipeline.hearing import SILENT_S, StreamSound
from streamaffect.settings import SourceSettings
from streamaffect.sound import listen_to
from streamaffect.sources.base import Source
from streamaffect.sources.parse import make_source
from streamaffect.sources.sound import remote
from streamaffect.types import Frame, ImageArray
from tests.support.http_stream import Hls, HttpVideo
from tests.support.rtsp_server import SOUND_CLOCK_HZ, RtspServer, Sound
from tests.support.sound.flashes import KeepingEar, beep, beeps_in, flash_picture, flashes_in, is_flash, write_flashes

SETTINGS = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
LATE_S = 0.46
OFFSET_S = 0.08
EACH_SECOND = tuple(second + 0.5 for second in range(600))


def picture(number: int) -> ImageArray:
    return flash_picture(lit=bool(is_flash(np.asarray(number / 25), EACH_SECOND)))


def samples(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    return (beep(numbers / SOUND_CLOCK_HZ, EACH_SECOND) * 32767).astype(np.int16)


def watch(source: Source, seconds: float) -> list[Frame]:
    end_s = time.monotonic() + seconds
    frames = []
    while time.monotonic() < end_s:
        frames.append(source.read())
    return frames


def offsets_s(frames: list[Frame], ear: KeepingEar) -> list[float]:
    """Of each flash, how long after it the nearest beep begins."""
    beeps = np.asarray(beeps_in(ear.ring))
    return [float(beeps[np.abs(beeps - flash).argmin()] - flash) for flash in flashes_in(frames)]


def test_sound_that_comes_late_is_placed_by_the_reports_of_its_sender() -> None:
    ear = KeepingEar()
    with RtspServer(picture, sound=Sound(samples, late_s=LATE_S)) as server:
        source = make_source(server.url, settings=SETTINGS, ear=ear)
        with source:
            source.open()
            frames = watch(source, 4.6)
    assert ear.clocks[-1] == "sender"
    # A picture may be late on a busy machine; the sound is where most of them are.
    assert abs(float(np.median(offsets_s(frames, ear)))) <= OFFSET_S
    assert ear.remarks == []


def test_without_reports_sound_is_placed_by_its_arrival_which_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "WITHOUT_REPORTS_S", 0.5)
    ear = KeepingEar()
    with RtspServer(picture, sound=Sound(samples, reports=False)) as server:
        source = make_source(server.url, settings=SETTINGS, ear=ear)
        with source:
            source.open()
            frames = watch(source, 1.8)
            source.open()  # another connection
            frames += watch(source, 1.8)
    assert set(ear.clocks) == {"arrival"}
    assert abs(float(np.median(offsets_s(frames, ear)))) <= OFFSET_S
    assert [remark.partition(": ")[2].partition(",")[0] for remark in ear.remarks] == [
        "sends no reports on the time of its sound"
    ]


def test_sound_that_dies_while_its_pictures_go_on_is_lost_and_back_once() -> None:
    changes: list[str] = []
    heard = StreamSound("door")
    heard.tell_changes_to(lambda change, _downtime_s, _detail: changes.append(change))
    sound = Sound(samples)
    with RtspServer(picture, sound=sound) as server, make_source(server.url, settings=SETTINGS, ear=heard) as source:
        source.open()
        while heard.health(None).state != "heard":
            source.read()
        sound.sending.clear()
        for _ in range(20):
            source.read()
        later_ns = time.perf_counter_ns() + round((SILENT_S + 1) * 1e9)
        heard.look(later_ns)
        heard.look(later_ns)
        assert changes == ["sound_lost"]
        assert heard.health(None).detail.endswith("the pictures go on")
        sound.sending.set()
        while heard.health(None).state != "heard":
            source.read()
    assert changes == ["sound_lost", "sound_back"]


def test_a_camera_without_sound_is_told_once_over_its_connections() -> None:
    ear = KeepingEar()
    with RtspServer(picture) as server, make_source(server.url, settings=SETTINGS, ear=ear) as source:
        for _ in range(2):
            source.open()
            source.read()
    assert ear.absences == [f"{server.url}: has no sound"]


def test_who_asks_for_no_sound_is_sent_none() -> None:
    sound = Sound(samples)
    with RtspServer(picture, sound=sound) as server, make_source(server.url, settings=SETTINGS) as source:
        source.open()
        source.read()
        assert server.sounds == 0


def test_hls_has_the_clock_of_its_container(tmp_path: Path) -> None:
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": str(tmp_path / "%d.ts")}
    write_flashes(tmp_path / "all.m3u8", video="mpeg2video", form="hls", options=options, seconds=8.0,
                  sound_s=[(0.0, 8.0)])  # fmt: skip
    pieces = [path.read_bytes() for path in sorted(tmp_path.glob("*.ts"), key=lambda path: int(path.stem))]
    ear = KeepingEar()
    with (
        HttpVideo(hls=Hls(pieces, piece_s=8.0 / len(pieces))) as server,
        make_source(f"{server.url}/live.m3u8", settings=SETTINGS, ear=ear) as source,
    ):
        source.open()
        frames = watch(source, 3.2)
    assert set(ear.clocks) == {"container"}
    assert flashes_in(frames) and max(map(abs, offsets_s(frames, ear))) <= OFFSET_S


def test_listening_to_a_camera_gives_its_blocks_until_nobody_listens() -> None:
    with RtspServer(picture, sound=Sound(samples)) as server:
        blocks = listen_to(server.url, settings=SETTINGS)
        first, second = next(blocks), next(blocks)
        blocks.close()  # type: ignore[attr-defined]
    assert second.time_s == pytest.approx(first.end_s)
    assert first.pts_s is None
