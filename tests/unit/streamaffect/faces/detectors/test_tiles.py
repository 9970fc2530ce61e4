import numpy as np
import pytest

from streamaffect.faces.detectors.tiles import TiledDetector, tile_windows
from streamaffect.types import Box, Face, ImageArray, Picture, pixels


class SpotDetector:
    """Takes the white rectangle of a picture for a face if it is at least a tenth as wide as the picture."""

    def __init__(self) -> None:
        self.is_closed = False
        self.looks = 0

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        self.looks += 1
        image = pixels(image)
        height, width = image.shape[:2]
        rows, columns = np.nonzero(image[..., 0])
        if rows.size == 0 or np.ptp(columns) + 1 < width / 10:
            return []
        box = Box(
            columns.min() / width,
            rows.min() / height,
            *((np.ptp(v) + 1) / n for v, n in ((columns, width), (rows, height))),
        )
        score = min(1.0, (rows.size / 3600))
        return [Face(box, score, np.tile(np.array((box.x, box.y), np.float32), (6, 1)))]

    def close(self) -> None:
        self.is_closed = True


def frame_with_spot(left: int, top: int, side: int = 60) -> ImageArray:
    image = np.zeros((360, 640, 3), np.uint8)
    image[top : top + side, left : left + side] = 255
    return image


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (640, 480), (480, 640), (300, 300), (1000, 100)])
@pytest.mark.parametrize("tiles", [2, 3, 4])
def test_tiles_cover_the_frame_and_overlap_by_a_quarter(width: int, height: int, tiles: int) -> None:
    windows = tile_windows(width, height, tiles)
    seen = np.zeros((height, width), bool)
    for left, top, right, bottom in windows:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        seen[top:bottom, left:right] = True
    assert seen.all()
    starts = sorted({window[0 if width >= height else 1] for window in windows})
    side = max(windows[0][2] - windows[0][0], windows[0][3] - windows[0][1])
    assert len(starts) == tiles
    assert max(np.diff(starts)) <= 0.75 * side + 1


def test_a_face_too_small_for_the_frame_is_found_in_a_tile_at_its_place_in_the_frame() -> None:
    image = frame_with_spot(left=400, top=200)
    assert SpotDetector().detect(image, 0.0) == []
    (face,) = TiledDetector(SpotDetector(), tiles=3).detect(image, 0.0)
    assert face.box == pytest.approx((400 / 640, 200 / 360, 60 / 640, 60 / 360))
    assert face.keypoints == pytest.approx(np.tile((400 / 640, 200 / 360), (6, 1)))


@pytest.mark.parametrize("left", range(0, 560, 40))
def test_a_face_that_several_tiles_see_or_cut_is_one_face(left: int) -> None:
    (face,) = TiledDetector(SpotDetector(), tiles=3).detect(frame_with_spot(left, 150), 0.0)
    assert face.box.w == pytest.approx(60 / 640)


def test_closing_closes_the_detector() -> None:
    inner = SpotDetector()
    TiledDetector(inner, tiles=2).close()
    assert inner.is_closed


def test_fewer_than_two_tiles_are_refused() -> None:
    with pytest.raises(ValueError, match="2 or more"):
        TiledDetector(SpotDetector(), tiles=1)
