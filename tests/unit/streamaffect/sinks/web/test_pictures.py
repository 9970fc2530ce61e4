"""The picture, as it is or so that nobody can be recognised in it."""

import cv2
import numpy as np

from streamaffect.sinks.web.pictures import LONGEST_PX, Pictures, blurred
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import Box, Face, Frame, ImageArray, Sighting, Sightings


def picture() -> ImageArray:
    done, image = cv2.VideoCapture(str(DEMO_CLIP)).read()
    assert done
    return np.asarray(image, np.uint8)


def seen(image: ImageArray, *boxes: Box) -> Sightings:
    faces = [Sighting(i, Face(box, 0.9), True, None, 0.9) for i, box in enumerate(boxes)]
    return Sightings(Frame(image, 0, 0.0, 0, 0), faces, (), (), 0, 0)


def detail(image: ImageArray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.CV_32F).std())


def decoded(jpeg: bytes | None) -> ImageArray:
    assert jpeg is not None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def test_the_newest_picture_is_shown_and_the_original_is_not_changed() -> None:
    pictures, image = Pictures("plain"), picture()
    before = image.copy()
    assert pictures.jpeg("cam") is None
    pictures.look("cam", seen(image, Box(0.4, 0.3, 0.2, 0.4)))
    shown = decoded(pictures.jpeg("cam"))
    assert np.abs(shown.astype(int) - image).mean() < 4
    assert pictures.jpeg("other") is None
    assert np.array_equal(image, before)


def test_a_blurred_picture_hides_faces_that_nobody_has_found_too() -> None:
    image = picture()
    without = blurred(image, [])
    assert detail(without) < 0.25 * detail(image)
    face = np.s_[100:270, 230:420]
    hidden = blurred(image, [Box(0.38, 0.29, 0.25, 0.45)])
    assert detail(np.asarray(hidden[face])) < 0.85 * detail(np.asarray(without[face]))


def test_a_face_at_the_border_and_one_outside_are_hidden_without_complaint() -> None:
    image = picture()
    for box in (Box(-0.1, -0.1, 0.2, 0.2), Box(0.95, 0.9, 0.3, 0.3), Box(1.5, 1.5, 0.2, 0.2), Box(0.5, 0.5, 0.0, 0.0)):
        assert blurred(image, [box]).shape == image.shape


def test_a_large_picture_is_reduced() -> None:
    pictures = Pictures("blurred")
    pictures.look("cam", seen(np.zeros((1080, 1920, 3), np.uint8)))
    assert max(decoded(pictures.jpeg("cam")).shape) == LONGEST_PX


def test_where_blurred_pictures_are_asked_for_no_other_is_given() -> None:
    pictures, image, box = Pictures("blurred"), picture(), Box(0.38, 0.29, 0.25, 0.45)
    pictures.look("cam", seen(image, box))
    hidden = blurred(image, [box]).astype(int)
    assert np.abs(decoded(pictures.jpeg("cam")) - hidden).mean() < 3
    pictures.look("cam", seen(image))  # the face is not found any more, and may be there still
    assert np.abs(decoded(pictures.jpeg("cam")) - hidden).mean() < 3
    assert np.abs(image - hidden).mean() > 8
