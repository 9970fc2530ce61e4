"""Files that people really have, made after public bug reports, and what is right for each."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.errors import SourceEndedError, SourceOpenError
from streamaffect.sources.file import FileSource
from streamaffect.types import Frame, ImageArray
from tests.cases.make_inputs import (
    DISC,
    FPS,
    FRAMES,
    HEIGHT,
    MADE,
    MATRICES,
    WIDTH,
    Track,
    combed,
    growing,
    jumping,
    rename_codec,
    scene,
    set_matrix,
    shown,
    write,
)

# mpv 16078 · opencv 4921, VideoIO.jl 185 · FFmpegInterop 262 · opencv-python 322, PosePipeline 59, decord 54 ·
# opencv 19924, yolov5 2064 · vllm 47853 · opencv 27116, opencv-python 1176 · opencv-python 908 · opencast 3694 ·
# FFmpegMediaMetadataRetriever 215 · picamera 500, 209 · opencv 17141

CONTAINERS = {  # and the codecs that are usual in them
    "mp4": ("mpeg4", "aac"),
    "mkv": ("mpeg4", "aac"),
    "mov": ("mjpeg", "pcm_s16le"),
    "avi": ("mpeg4", "mp2"),
    "ts": ("mpeg2video", "mp2"),
    "mpg": ("mpeg2video", "mp2"),
    "webm": ("libvpx", "libopus"),
}


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that was read to its end, and what it said there."""

    frames: list[Frame]
    fps: float | None
    duration_s: float | None
    complaint: str

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        return {frame.image.shape for frame in self.frames}


@pytest.fixture
def read(caplog: pytest.LogCaptureFixture) -> "Reading":
    return Reading(caplog)


class Reading:
    """Reads files as a run does."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __call__(self, path: Path, *, track: int | None = None) -> Whole:
        source = FileSource(path, track=track)
        info = source.open()
        frames = []
        try:
            while True:
                frames.append(source.read())
        except SourceEndedError:
            pass
        finally:
            source.close()
        return Whole(
            frames, info.fps, info.duration_s, "\n".join(record.getMessage() for record in self._caplog.records)
        )


def disc_shape(image: ImageArray) -> tuple[int, int]:
    """Width and height of the bright disc in pixels."""
    rows, columns = np.nonzero(image[:, :, 0] > (DISC + 160) / 2)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize("name", MATRICES)
def test_the_display_matrix_is_applied_whole(tmp_path: Path, read: Reading, name: str) -> None:
    whole = read(set_matrix(write(tmp_path / "clip.mp4", Track()), MATRICES[name]))
    expected = shown(scene(0), MATRICES[name])
    assert whole.shapes == {expected.shape}
    assert np.abs(whole.frames[0].image.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("aspect", ["1/2", "2", "4/3", "16/15", "12/11"])
@pytest.mark.parametrize("container", ["mp4", "mkv", "avi"])
def test_pixels_are_made_square(tmp_path: Path, read: Reading, container: str, aspect: str) -> None:
    wide = Fraction(aspect)
    squeezed = [np.asarray(picture[:, :: wide.numerator]) for picture in [scene(0)]] if wide == 2 else [scene(0)]
    whole = read(write(tmp_path / f"clip.{container}", Track(squeezed * 5, aspect=wide)))
    [(height, width, _)] = whole.shapes
    assert (width, height) == (round(squeezed[0].shape[1] * wide), HEIGHT)
    across, down = disc_shape(whole.frames[0].image)
    stored = disc_shape(squeezed[0])
    assert across / down == pytest.approx(stored[0] / stored[1] * float(wide), rel=0.12)


@pytest.mark.parametrize(
    ("codec", "planes"),
    [
        ("libvpx", "yuv420p"),
        ("libvpx-vp9", "yuv420p"),
        ("libvpx-vp9", "yuv440p"),
        ("libvpx-vp9", "yuv444p"),
        ("ffv1", "yuv420p10le"),
        ("ffv1", "yuv422p"),
        ("ffv1", "yuv422p10le"),
    ],
)
@pytest.mark.parametrize(("width", "height"), [(51, 51), (51, 64), (96, 51)])
def test_a_picture_with_a_row_or_column_left_over_is_shown_as_it_is(
    tmp_path: Path, read: Reading, width: int, height: int, codec: str, planes: str
) -> None:
    picture = scene(0, width=width, height=height)
    whole = read(write(tmp_path / "clip.mkv", Track([picture] * 5, codec=codec, planes=planes)))
    assert (len(whole.frames), whole.complaint) == (5, "")
    assert whole.shapes == {(height, width, 3)}
    assert np.abs(whole.frames[-1].image.astype(int) - picture).mean() < 4
    edges = whole.frames[-1].image.astype(int)
    assert np.abs(edges[:, -1] - picture[:, -1]).mean() < 8
    assert np.abs(edges[-1] - picture[-1]).mean() < 8


@pytest.mark.parametrize("container", sorted(CONTAINERS.keys() - {"avi", "mpg"}))  # which have one rate
def test_pictures_of_a_rate_that_varies_and_jumps_keep_their_times(
    tmp_path: Path, read: Reading, container: str
) -> None:
    codec = "libx264" if container == "ts" else CONTAINERS[container][0]
    whole = read(write(tmp_path / f"clip.{container}", Track(codec=codec, times_ms=jumping())))
    assert [round((frame.pts_s or 0.0) * 1e3) for frame in whole.frames] == pytest.approx(jumping(), abs=1)
    assert whole.complaint == ""


@pytest.mark.parametrize("container", sorted(CONTAINERS.keys() - {"avi"}))  # an AVI has no start times
def test_a_picture_that_starts_after_the_sound_keeps_its_time(tmp_path: Path, read: Reading, container: str) -> None:
    video, sound = CONTAINERS[container]
    path = write(tmp_path / f"clip.{container}", Track(codec=video, start_s=1.0), sound_s=2.5, sound=sound)
    times = [frame.pts_s or 0.0 for frame in read(path).frames]
    assert len(times) == FRAMES
    assert times[0] == pytest.approx(1.0, abs=0.05)
    assert np.diff(times) == pytest.approx(1 / FPS, abs=0.002)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("sound_s", [0.0, 0.3, 2.5])
def test_a_whole_file_is_read_whole_without_a_word(
    tmp_path: Path, read: Reading, container: str, sound_s: float
) -> None:
    video, sound = CONTAINERS[container]
    whole = read(write(tmp_path / f"clip.{container}", Track(codec=video), sound_s=sound_s, sound=sound))
    assert len(whole.frames) == FRAMES
    assert whole.fps == FPS
    assert whole.complaint == ""


@pytest.mark.parametrize("container", ["mkv", "webm", "nut", "mp4", "ts", "mpg"])
def test_a_file_that_starts_late_is_whole_and_most_of_it_is_not(tmp_path: Path, read: Reading, container: str) -> None:
    codec, _ = CONTAINERS.get(container, ("mpeg4", ""))
    path = write(tmp_path / f"clip.{container}", Track(codec=codec, start_s=3.0))
    whole = read(path)
    assert len(whole.frames) == FRAMES
    assert whole.complaint == ""
    if container != "mpg":  # of which FFmpeg estimates it, from more than is in this one
        assert whole.duration_s == pytest.approx(FRAMES / FPS, abs=0.05)
    if container in ("mkv", "webm"):  # which say at their head when they should end
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 4 // 5])
        assert "is cut off or damaged" in read(path).complaint


@pytest.mark.parametrize("spoilt", [{9}, {8, 9}, {5, 12}])
def test_what_is_damaged_is_gone_over_and_told_once(tmp_path: Path, read: Reading, spoilt: set[int]) -> None:
    whole = read(write(tmp_path / "clip.mkv", Track(codec="mjpeg", spoilt=frozenset(spoilt))))
    assert [round((frame.pts_s or 0.0) * FPS) for frame in whole.frames] == sorted({*range(FRAMES)} - spoilt)
    assert f"{len(spoilt)} of {FRAMES} pictures cannot be decoded" in whole.complaint
    assert whole.complaint.count("\n") == 0


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mpg", "mpeg2video"), ("mp4", "mpeg4"), ("ts", "mpeg2video"), ("mxf", "mpeg2video"), ("avi", "mpeg4")],
)
@pytest.mark.parametrize("reorders", [False, True])
def test_interlaced_pictures_have_no_combs(
    tmp_path: Path, read: Reading, container: str, codec: str, reorders: bool
) -> None:
    pictures = combed()
    track = Track(pictures, codec=codec, interlaced=True, reorders=reorders)
    whole = read(write(tmp_path / f"clip.{container}", track))
    assert len(whole.frames) == FRAMES
    assert np.diff([frame.pts_s for frame in whole.frames]) == pytest.approx(1 / FPS, abs=0.002)
    for frame, picture in list(zip(whole.frames, pictures, strict=True))[2:-2]:
        assert frame.image.mean() == pytest.approx(picture.mean(), abs=6)
        rough, smooth = (np.abs(np.diff(image[:, :, 0].astype(int), axis=0)).mean() for image in (picture, frame.image))
        assert smooth < 0.65 * rough


def test_faces_keep_their_shape_where_the_picture_changes_its_size(tmp_path: Path, read: Reading) -> None:
    whole = read(growing(tmp_path / "clip.ts"))
    assert whole.shapes == {(HEIGHT, WIDTH, 3), (HEIGHT * 2, WIDTH * 2, 3)}
    assert len(whole.frames) >= 2 * FRAMES - 1
    for frame in (whole.frames[0], whole.frames[-1]):
        across, down = disc_shape(frame.image)
        assert across == pytest.approx(down, abs=2)


def test_a_codec_that_nobody_has_is_named(tmp_path: Path) -> None:
    path = rename_codec(write(tmp_path / "clip.mov", Track(codec="mjpeg")), b"jpeg", b"xq9z")
    with pytest.raises(SourceOpenError, match=r"its video is coded as xq9z, for which FFmpeg has no decoder here"):
        FileSource(path).open()


@pytest.mark.parametrize(
    ("name", "sound"), [("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.wav", "pcm_s16le"), ("a.mkv", "libopus")]
)
def test_sound_alone_is_no_video(tmp_path: Path, name: str, sound: str) -> None:
    with pytest.raises(SourceOpenError, match="has sound, but no moving picture"):
        FileSource(write(tmp_path / name, sound_s=0.5, sound=sound)).open()


@pytest.mark.parametrize(("name", "sound"), [("a.mp4", "aac"), ("a.mp3", "libmp3lame")])
def test_a_cover_picture_is_no_video(tmp_path: Path, name: str, sound: str) -> None:
    cover = Track([scene(0)], codec="mjpeg", is_cover=True)
    with pytest.raises(SourceOpenError, match="a cover picture that stands still, but no moving picture"):
        FileSource(write(tmp_path / name, cover, sound_s=0.5, sound=sound)).open()


def test_a_track_that_comes_up_on_the_way_harms_nothing(tmp_path: Path, read: Reading) -> None:
    count = 200  # FFmpeg looks at so much before it says which tracks there are
    path = write(tmp_path / "a.flv", Track([scene(0)] * count, codec="flv"))
    body = b"\x3e" + bytes(400)  # sound, which the head of this file does not announce
    tag = b"\x08" + len(body).to_bytes(3, "big") + bytes(7) + body + (len(body) + 11).to_bytes(4, "big")
    path.write_bytes(path.read_bytes() + 40 * tag)
    whole = read(path)
    assert (len(whole.frames), whole.complaint) == (count, "")


def test_of_several_tracks_the_default_is_read_and_named(tmp_path: Path, read: Reading) -> None:
    other = Track([scene(0, width=64)] * 5, is_default=False)
    whole = read(write(tmp_path / "clip.mkv", other, Track()))
    assert (len(whole.frames), whole.shapes) == (FRAMES, {(HEIGHT, WIDTH, 3)})
    assert "#video=1 is read, its default" in whole.complaint
    assert len(read(tmp_path / "clip.mkv", track=0).frames) == 5


@pytest.mark.parametrize(("kind", "codec"), [("m4v", "mpeg4"), ("h264", "libx264"), ("mpeg2video", "mpeg2video")])
def test_a_bare_stream_runs_at_its_own_rate_and_says_so(tmp_path: Path, read: Reading, kind: str, codec: str) -> None:
    name = {"mpeg2video": "clip.m2v"}.get(kind, f"clip.{kind}")
    whole = read(write(tmp_path / name, Track(codec=codec, fps=30), kind=kind))
    assert len(whole.frames) == FRAMES
    assert whole.frames[-1].pts_s == pytest.approx((FRAMES - 1) / 30, abs=0.002)
    assert "without time stamps" in whole.complaint


@pytest.mark.parametrize("name", ["clip.mjpg", "clip.mjpeg", "clip"])
def test_jpegs_one_after_the_other_are_a_bare_stream(tmp_path: Path, read: Reading, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"".join(jpeg(number) for number in range(FRAMES)))
    whole = read(path)
    assert len(whole.frames) == FRAMES
    assert whole.frames[-1].pts_s == pytest.approx((FRAMES - 1) / 25, abs=0.002)
    assert "without time stamps and rate; 25 frames/s are assumed" in whole.complaint


@pytest.mark.parametrize("at", [2, 20])  # before and after what JFIF begins with
def test_a_photo_that_other_pictures_follow_is_a_single_picture(tmp_path: Path, at: int) -> None:
    photo, depth = jpeg(0), jpeg(1)
    path = tmp_path / "photo"
    path.write_bytes(photo[:at] + b"\xff\xe2" + (8).to_bytes(2, "big") + b"MPF\0II" + photo[at:] + depth)
    with pytest.raises(SourceOpenError, match="is a single picture"):
        FileSource(path).open()


def test_a_picture_whose_name_is_a_pattern_stands_for_no_others(tmp_path: Path) -> None:
    for name in ("%d.jpg", "0.jpg", "1.jpg", "2.jpg"):
        (tmp_path / name).write_bytes(jpeg(0))
    with pytest.raises(SourceOpenError, match="is a single picture"):
        FileSource(tmp_path / "%d.jpg").open()


@pytest.mark.parametrize("begin", [b"\xff\xd8", b"\xff\xd8\xff\xfe\0\4hi"])
def test_one_jpeg_is_a_single_picture_whatever_it_begins_with(tmp_path: Path, begin: bytes) -> None:
    path = tmp_path / "photo"
    path.write_bytes(begin + jpeg(0)[20:])
    with pytest.raises(SourceOpenError, match="is a single picture"):
        FileSource(path).open()


@pytest.mark.parametrize("end", [b"", b"\r\n--frame\r\n", b"\r\n--frame--\r\n"])
def test_what_a_camera_sends_over_http_can_be_saved_and_read(tmp_path: Path, read: Reading, end: bytes) -> None:
    parts = [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(number) for number in range(FRAMES)]
    path = tmp_path / "saved"
    path.write_bytes(b"\r\n".join(parts) + end)
    whole = read(path)
    assert len(whole.frames) == FRAMES
    assert "damaged" not in whole.complaint


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mpeg4"), ("a.avi", "mpeg2video"), ("a.avi", "libx264"), ("a.mxf", "mpeg2video"), ("a.mxf", "libx264")],
)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 40])
def test_pictures_that_are_stored_ahead_come_at_their_own_times(
    tmp_path: Path, read: Reading, name: str, codec: str, count: int
) -> None:
    pictures = [scene(number) for number in range(count)]
    whole = read(write(tmp_path / name, Track(pictures, codec=codec, reorders=True)))
    assert [frame.pts_s for frame in whole.frames] == pytest.approx([number / FPS for number in range(len(pictures))])
    assert whole.complaint == ""
    for frame, picture in zip(whole.frames, pictures, strict=True):
        assert np.abs(frame.image.astype(int) - picture).mean() < 6


@pytest.mark.parametrize(
    ("name", "codec", "sound", "kind"),
    [
        ("a.avi", "mpeg4", "pcm_s16le", None),
        ("a.avi", "libx264", "libmp3lame", None),
        ("a.wmv", "wmv2", "libmp3lame", "asf"),
        ("a.mp4", "libx264", "aac", "ismv"),
        ("a.ogv", "libvpx", "flac", "ogg"),
        ("a.ts", "mpeg2video", "mp2", None),
    ],
)
def test_a_file_that_is_cut_off_is_told_and_a_whole_one_is_not(
    tmp_path: Path, read: Reading, name: str, codec: str, sound: str, kind: str | None
) -> None:
    path = write(tmp_path / name, Track(codec=codec), sound_s=FRAMES / FPS, sound=sound, kind=kind)
    whole = path.read_bytes()
    assert read(path).complaint == ""
    path.write_bytes(whole[: round(0.8 * len(whole)) + 1])
    assert "cut off" in read(path).complaint


def test_they_do_so_at_a_slower_rate_than_the_container_counts_in(tmp_path: Path, read: Reading) -> None:
    times_ms = range(0, 120 * FRAMES, 120)
    whole = read(write(tmp_path / "a.avi", Track(reorders=True, times_ms=times_ms)))
    assert [frame.pts_s for frame in whole.frames] == pytest.approx([time / 1000 for time in times_ms])


def test_a_pause_between_them_comes_where_it_is_stored(tmp_path: Path, read: Reading) -> None:
    times_ms = [*range(0, 400, 40), *range(1000, 1400, 40)]
    whole = read(write(tmp_path / "a.avi", Track(reorders=True, times_ms=times_ms), sound_s=2.0, sound="pcm_s16le"))
    assert [frame.pts_s for frame in whole.frames] == pytest.approx([time / 1000 for time in times_ms])


def jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", scene(number))[1].tobytes()


@pytest.mark.parametrize("name", ["ünï \U0001f600.mp4", "n\udcff.mp4", "%d.mp4", "concat:a.mp4", "-i.mp4"])
def test_any_name_that_a_file_can_have_is_opened(tmp_path: Path, read: Reading, name: str) -> None:
    path = tmp_path / name
    write(tmp_path / "plain.mp4", Track()).rename(path)
    assert len(read(path).frames) == FRAMES


@pytest.mark.parametrize("name", ["\ud800", "a/\ud800b.mp4", "a\0b.mp4", "x" * 5000])
def test_a_name_that_no_file_can_have_is_one_clear_error(name: str) -> None:
    with pytest.raises(SourceOpenError) as raised:
        FileSource(Path(name)).open()
    str(raised.value).encode()  # and can be printed


def test_the_script_makes_what_it_lists(tmp_path: Path) -> None:
    for name, make in MADE.items():
        assert make(tmp_path / name).stat().st_size > 100
