import stat
from pathlib import Path

import numpy as np
import pytest

from streamaffect.errors import RecordingError
from streamaffect.personal.crop_file import delete_crops, read_crops
from streamaffect.personal.crop_recorder import CropRecorder
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.types import Box, Face, Frame, ImageArray, Sighting, Sightings
from tests.support.bundles import SIZE, write_bundle

FACE = Face(Box(0.2, 0.2, 0.3, 0.4), 0.9)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


def crop(value: int) -> ImageArray:
    return np.full((SIZE, SIZE, 3), value, np.uint8)


def seen(time_s: float, *crops: ImageArray | None, track: int = 0, detected: int | None = None) -> Sightings:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, time_s, 0, None)
    faces = [Sighting(track + i, FACE, visible=True, crop=one, quality=1.0) for i, one in enumerate(crops)]
    return Sightings(frame, faces, [], [], 0, 0, detected=len(crops) if detected is None else detected)


def test_crops_come_back_as_they_were_with_their_times_and_a_shot_for_each_track(
    tmp_path: Path, bundle: Bundle
) -> None:
    path = tmp_path / "me.crops"
    recorder = CropRecorder(str(path), bundle)
    for i in range(3):
        recorder.look("cam", seen(i * 0.5, crop(i)))
    recorder.look("cam", seen(2.0, crop(9), track=4))
    recorder.close()
    recorder.close()
    found = read_crops(path, bundle)
    assert found.crops[:, 0, 0, 0].tolist() == [0, 1, 2, 9]
    assert found.time_s.tolist() == [0.0, 0.5, 1.0, 2.0]
    assert found.shot.tolist() == [0, 0, 0, 1]
    assert found.seconds == 1.0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_a_face_that_is_alone_and_clear_is_kept_and_no_more_often_than_clips_need(
    tmp_path: Path, bundle: Bundle
) -> None:
    path, period_s = tmp_path / "me.crops", bundle.manifest.clip.period_s
    recorder = CropRecorder(str(path), bundle)
    recorder.look("cam", seen(0.0, crop(1)))
    recorder.look("cam", seen(0.5 * period_s, crop(2)))  # too soon
    recorder.look("cam", seen(10.0, crop(3), crop(4)))  # two faces
    recorder.look("cam", seen(11.0, crop(5), detected=2))  # a second one that is not believed yet
    recorder.look("cam", seen(12.0, None))  # hidden, or too poor
    recorder.look("cam", seen(13.0, crop(6)))
    recorder.close()
    assert read_crops(path, bundle).crops[:, 0, 0, 0].tolist() == [1, 6]


def test_a_recording_of_nothing_leaves_no_file(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "me.crops"
    CropRecorder(str(path), bundle).close()
    assert not path.exists()


def test_a_file_that_exists_is_never_replaced(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("dear all")
    with pytest.raises(RecordingError, match="already exists"):
        CropRecorder(str(path), bundle)
    assert path.read_text() == "dear all"


def test_a_file_that_was_cut_off_is_read_to_there(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "me.crops"
    recorder = CropRecorder(str(path), bundle)
    for i in range(3):
        recorder.look("cam", seen(float(i), crop(i)))
    recorder.close()
    path.write_bytes(path.read_bytes()[:-5])
    assert read_crops(path, bundle).time_s.tolist() == [0.0, 1.0]


def test_crops_for_another_encoder_are_refused(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "me.crops"
    recorder = CropRecorder(str(path), bundle)
    recorder.look("cam", seen(0.0, crop(1)))
    recorder.close()
    with pytest.raises(RecordingError, match=r"were cut for the frame encoder [0-9a-f]{12}…, default@"):
        read_crops(path, load_bundle())


@pytest.mark.parametrize("content", [b"", b"dear all\n", b'{"kind":"affect"}\n', b"\xff\xfe", b"[" * 70000])
def test_what_is_no_recording_of_crops_is_neither_read_nor_deleted(
    tmp_path: Path, bundle: Bundle, content: bytes
) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    for do in (lambda: read_crops(path, bundle), lambda: delete_crops(path)):
        with pytest.raises(RecordingError, match="is no recording of crops"):
            do()
    assert path.read_bytes() == content


def test_a_recording_of_crops_is_deleted(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "me.crops"
    recorder = CropRecorder(str(path), bundle)
    recorder.look("cam", seen(0.0, crop(1)))
    recorder.close()
    delete_crops(path)
    assert not path.exists()


def test_two_recordings_in_one_file_are_refused_with_how_to_take_them_apart(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "me.crops"
    recorder = CropRecorder(str(path), bundle)
    recorder.look("cam", seen(0.0, crop(1)))
    recorder.close()
    alone = path.read_bytes()
    path.write_bytes(alone * 2)
    with pytest.raises(RecordingError, match="two recordings of crops were put together") as error:
        read_crops(path, bundle)
    assert f"head -c {len(alone)} " in str(error.value)
    assert f"tail -c +{len(alone) + 1} " in str(error.value)
