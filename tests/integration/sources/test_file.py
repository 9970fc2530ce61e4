import logging
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from streamaffect.errors import SourceEndedError, SourceOpenError
from streamaffect.sources.file import FileSource
from streamaffect.sources.video.av_reader import AvReader
from streamaffect.types import Frame, pixels
from tests.support.videos import number_of, picture, turn_sideways, write_video


def read_all(source: FileSource) -> list[Frame]:
    frames = []
    with source:
        source.open()
        while True:
            try:
                frames.append(source.read())
            except SourceEndedError:
                return frames


def opening_error(path: Path) -> str:
    with pytest.raises(SourceOpenError) as caught, FileSource(path) as source:
        source.open()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "MJPG")])
def test_every_frame_comes_once_in_order_at_its_container_time(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"v.{suffix}", frames=30, fps=12.5, codec=codec)
    frames = read_all(FileSource(path))
    assert [frame.index for frame in frames] == list(range(30))
    assert [number_of(frame.image) for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([i * 0.08 for i in range(30)], abs=0.001)


def test_an_offline_frame_has_the_containers_time_as_its_only_clock(tmp_path: Path) -> None:
    frame = read_all(FileSource(write_video(tmp_path / "v.mp4", frames=5)))[3]
    assert frame.pts_s == frame.time_s == pytest.approx(0.12)
    assert frame.t_capture_ns == 120_000_000
    assert frame.grabbed_ns is None


def test_reading_a_file_twice_gives_the_same_bytes_and_times(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=10)
    first, second = read_all(FileSource(path)), read_all(FileSource(path))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.image, b.image)
        assert (a.index, a.time_s, a.t_capture_ns) == (b.index, b.time_s, b.t_capture_ns)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("ts", "mpeg2video"), ("mpg", "mpeg2video"), ("mp4", "h264"), ("mkv", "mpeg4")]
)
def test_back_at_its_start_a_file_is_read_from_its_first_frame(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"v.{suffix}"
    with av.open(str(path), "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=25, options={"g": "6"}))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="bgr24")))
        container.mux(stream.encode(None))
    with closing(AvReader(path)) as reader:
        passes = []
        for _ in range(2):
            passes.append([number_of(pixels(shown[1])) for shown in iter(reader.next, None)])
            reader.rewind()
    assert passes[0] == passes[1]
    assert len(passes[0]) == 30


def test_opening_tells_size_rate_and_length(tmp_path: Path) -> None:
    with FileSource(write_video(tmp_path / "v.mp4", frames=20, fps=10.0)) as source:
        info = source.open()
    assert (info.kind, info.live, info.width, info.height) == ("file", False, 64, 48)
    assert (info.fps, info.frames, info.duration_s) == (10.0, 20, 2.0)


def test_the_rotation_that_a_phone_writes_is_applied(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=3)
    turn_sideways(path)
    with FileSource(path) as source:
        info = source.open()
        assert (info.width, info.height) == (48, 64)
        assert source.read().image.shape == (64, 48, 3)


def test_a_file_in_real_time_is_live_and_comes_no_faster_than_its_timestamps(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", frames=5, fps=50.0), realtime=True)
    frames = read_all(source)
    assert len(frames) == 5
    assert frames[-1].time_s - frames[0].time_s >= 0.079
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.08])
    assert [frame.time_s * 1e9 for frame in frames] == pytest.approx([frame.grabbed_ns for frame in frames])


def test_closing_ends_a_read_that_waits_for_its_time(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", frames=5, fps=1.0), realtime=True)
    assert source.open().live
    source.read()
    threading.Timer(0.05, source.close).start()
    with pytest.raises(SourceEndedError, match="was closed"):
        source.read()


def test_a_closed_file_stays_closed(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", frames=5))
    source.open()
    source.close()
    source.close()
    with pytest.raises(SourceEndedError):
        source.read()
    with pytest.raises(SourceEndedError):
        source.open()


def test_a_missing_file_is_named_with_what_else_could_be_meant(tmp_path: Path) -> None:
    assert "no such file; expected webcam" in opening_error(tmp_path / "nothing.mp4")


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    assert "is a folder" in opening_error(tmp_path)


def test_an_empty_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.touch()
    assert "is empty (0 bytes)" in opening_error(path)


def test_a_text_file_is_no_video_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_text("This is not a video.\n" * 100)
    assert "is a text file" in opening_error(path)


def test_random_bytes_are_no_video(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "is not a video that FFmpeg can decode" in opening_error(path)


def test_a_file_without_permission_is_not_reported_as_damaged(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=3)
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        assert "cannot be read (permission denied)" in opening_error(path)
    else:
        pytest.skip("this user may read every file")


def test_an_mp4_that_was_cut_off_before_its_index_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=30)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov")])
    assert "an MP4 without its index" in opening_error(path)


def test_a_file_that_is_cut_off_gives_the_frames_it_has_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "v.avi", frames=30, codec="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    with caplog.at_level(logging.WARNING):
        frames = read_all(FileSource(path))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert 0 < len(frames) < 25
    assert f"ended after {len(frames)} of about 30 frames" in caplog.text


def test_a_complete_file_ends_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_all(FileSource(write_video(tmp_path / "v.mp4", frames=30)))
    assert caplog.text == ""


def test_a_name_that_looks_like_an_ffmpeg_protocol_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "v.mp4", frames=3).rename(tmp_path / "concat:x.mp4")
    assert len(read_all(FileSource(Path("concat:x.mp4")))) == 3


def test_opencv_and_ffmpeg_say_nothing_on_stderr_about_a_bad_file(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + np.random.default_rng(0).bytes(5000))
    # In a process of its own, since FFmpeg settles its log level once per process.
    code = "import sys; from streamaffect.sources.capture import *; open_capture(sys.argv[1], backend=cv2.CAP_FFMPEG)"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
