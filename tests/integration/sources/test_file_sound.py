"""The sound of real files: on the clock of the pictures, whatever its kind, and silent where the file is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Stream

from streamaffect.errors import SourceOpenError
from streamaffect.settings import SourceSettings
from streamaffect.sound import listen_to
from streamaffect.sources.parse import make_source
from streamaffect.types import SOUND_RATE_HZ, Frame
from tests.support.sound.flashes import FLASHES_S, KeepingEar, beeps_in, flashes_in, frames_of, write_flashes
from tests.support.videos import write_video

OFFSET_S = 0.045  # a picture lasts 0.04 s
FORMS: dict[str, dict[str, Any]] = {
    "a.mp4": {},
    "late.mp4": {"first_picture_s": 0.4},
    "opus.mkv": {"audio": "libopus"},
    "surround.mkv": {"audio": "pcm_f32le", "rate_hz": 96_000, "layout": "5.1"},
    "telephone.mov": {"audio": "pcm_u8", "rate_hz": 8_000, "layout": "mono"},
    "flac.mkv": {"audio": "flac", "rate_hz": 44_100},
    "a.ts": {"video": "mpeg2video", "audio": "mp2"},
    "a.mpg": {"video": "mpeg2video", "audio": "mp2", "form": "mpeg"},
    "a.avi": {"audio": "libmp3lame", "rate_hz": 44_100},
}


def read(spec: str | Path, **settings: bool) -> tuple[list[Frame], KeepingEar]:
    ear = KeepingEar()
    with make_source(str(spec), settings=SourceSettings(), ear=ear, **settings) as source:
        return frames_of(source), ear


def seconds_of(packet: "Packet[Stream]") -> float:
    return float((packet.dts or 0) * packet.time_base)


def copy_packets(
    given: Path,
    path: Path,
    *,
    order: Callable[["Packet[Stream]"], tuple[int, bool]] | None = None,
    is_damaged: Callable[["Packet[Stream]"], bool] = lambda _: False,
) -> None:
    """The same packets in another order, or with zeros in them."""
    with av.open(str(given)) as source, av.open(str(path), "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        packets = [packet for packet in source.demux() if packet.size]
        for packet in packets if order is None else sorted(packets, key=order):
            copy = av.Packet(bytes(packet.size) if is_damaged(packet) else bytes(packet))
            copy.dts, copy.pts, copy.time_base = packet.dts, packet.pts, packet.time_base
            copy.is_keyframe = packet.is_keyframe
            copy.stream = copies[packet.stream_index]
            target.mux(copy)


@pytest.mark.parametrize("name", FORMS)
def test_flash_and_beep_come_together(name: str, tmp_path: Path) -> None:
    frames, ear = read(write_flashes(tmp_path / name, **FORMS[name]))
    assert len(beeps_in(ear.ring)) == len(flashes_in(frames)) == len(FLASHES_S)
    assert beeps_in(ear.ring) == pytest.approx(flashes_in(frames), abs=OFFSET_S)
    assert set(ear.clocks) == {"container"}
    assert ear.gaps_s == []
    assert all(block.samples.dtype == np.float32 for block in ear.blocks)


def test_the_pictures_are_the_same_with_and_without_sound(tmp_path: Path) -> None:
    path = write_flashes(tmp_path / "a.mkv")
    with make_source(str(path), settings=SourceSettings()) as source:
        without = frames_of(source)
    frames, _ = read(path)
    assert [frame.time_s for frame in frames] == [frame.time_s for frame in without]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(frames, without, strict=True))


def test_a_hole_in_the_sound_is_a_gap_and_what_follows_keeps_its_time(tmp_path: Path) -> None:
    path = write_flashes(tmp_path / "a.mkv", audio="pcm_s16le", sound_s=[(0.3, 1.5), (2.4, 3.0)])
    frames, ear = read(path)
    assert beeps_in(ear.ring) == pytest.approx(flashes_in(frames), abs=0.002)
    assert ear.gaps_s == [pytest.approx((1.5, 2.4), abs=0.002)]
    window = ear.ring.read(0.0, 3.0)
    times_s = np.arange(len(window.heard)) / SOUND_RATE_HZ
    expected = ((times_s >= 0.3) & (times_s < 1.5)) | (times_s >= 2.4)
    assert (window.heard != expected).mean() < 0.002


def test_offline_the_sound_up_to_a_picture_is_there_with_it_wherever_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "apart.mkv"
    # The sound of each second comes behind its pictures.
    copy_packets(
        write_flashes(tmp_path / "a.mkv"), path, order=lambda one: (int(seconds_of(one)), one.stream.type == "audio")
    )
    ear = KeepingEar()
    with make_source(str(path), settings=SourceSettings(), ear=ear) as source:
        source.open()
        for _ in range(60):
            frame = source.read()
            assert ear.ring.end_s is not None and ear.ring.end_s >= frame.time_s


def test_another_track_is_heard_where_it_is_named_and_the_default_is_told(tmp_path: Path) -> None:
    path = write_flashes(tmp_path / "a.mkv", tracks=2)
    _, first = read(path)
    assert len(beeps_in(first.ring)) == 2
    assert first.remarks == [f"{path}: has several audio tracks; #audio=0 is heard, its default"]
    _, second = read(f"{path}#audio=1")
    assert (beeps_in(second.ring), second.remarks) == ([], [])
    frames, third = read(f"{path}#video=0#audio=2")
    assert len(frames) == 75
    assert third.absences == [f"{path}: has no #audio=2; #audio=0 to #audio=1 are there"]


def test_a_file_without_sound_is_told_once_and_its_pictures_go_on(tmp_path: Path) -> None:
    path = write_video(tmp_path / "silent.mp4", frames=5)
    frames, ear = read(path)
    assert len(frames) == 5
    assert ear.absences == [f"{path}: has no sound"]


@pytest.mark.parametrize(
    ("sound_s", "remarks"),
    [
        ((0.0, 1.5), ["its sound ends at 1.5 s, its pictures at 3.0 s"]),
        ((1.5, 3.0), ["its sound begins at 1.5 s; before that nothing is heard"]),
        ((0.5, 2.4), []),
    ],
    ids=["stops", "starts late", "all but all of it"],
)
def test_sound_that_stops_or_starts_late_is_told_once(
    sound_s: tuple[float, float], remarks: list[str], tmp_path: Path
) -> None:
    path = write_flashes(tmp_path / "a.mkv", audio="pcm_s16le", sound_s=[sound_s])
    frames, ear = read(path)
    assert len(frames) == 75
    assert ear.remarks == [f"{path}: {one}" for one in remarks]
    assert (ear.ring.start_s, ear.ring.end_s) == pytest.approx(sound_s, abs=0.002)


def test_damaged_sound_is_a_gap_and_told_once(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mkv"
    copy_packets(
        write_flashes(tmp_path / "a.mkv", audio="flac"),
        path,
        is_damaged=lambda one: one.stream.type == "audio" and 1.5 <= seconds_of(one) < 2.0,
    )
    frames, ear = read(path)
    assert len(frames) == 75
    assert ear.gaps_s == [pytest.approx((1.5, 2.0), abs=0.2)]
    assert beeps_in(ear.ring) == pytest.approx(flashes_in(frames), abs=0.002)
    assert len(ear.remarks) == 1 and "its sound is damaged in" in ear.remarks[0]


def test_played_by_its_clock_sound_has_the_time_of_the_pictures(tmp_path: Path) -> None:
    frames, ear = read(write_flashes(tmp_path / "a.mp4"), realtime=True)
    assert beeps_in(ear.ring)[0] == pytest.approx(flashes_in(frames)[0], abs=0.5)  # a picture may be shown late
    shift_s = {round(block.time_s - (block.pts_s or 0.0), 6) for block in ear.blocks}
    assert len(shift_s) == 1
    assert frames[0].time_s - (frames[0].pts_s or 0.0) == pytest.approx(shift_s.pop(), abs=0.5)


def test_listening_gives_the_blocks_of_a_file_of_pictures_or_of_sound_alone(tmp_path: Path) -> None:
    path = write_flashes(tmp_path / "a.mkv", audio="pcm_s16le")
    ear = KeepingEar()
    for block in listen_to(path):
        ear.hear(block, "container")
    assert beeps_in(ear.ring) == pytest.approx(FLASHES_S, abs=0.002)
    assert sum(len(block.samples) for block in ear.blocks) == pytest.approx(3 * SOUND_RATE_HZ, abs=2)
    with pytest.raises(SourceOpenError, match=r"silent\.mp4: has no sound"):
        next(listen_to(write_video(tmp_path / "silent.mp4", frames=3)))
    with pytest.raises(SourceOpenError, match=r"missing\.wav: no such file"):
        next(listen_to(tmp_path / "missing.wav"))
