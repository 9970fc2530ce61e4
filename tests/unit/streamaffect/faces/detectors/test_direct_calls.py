"""MediaPipe's calls are made in the thread that asks, one at a time, and give the same."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.faces.detectors.direct_calls import call_directly
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.reader import open_video
from streamaffect.types import ImageArray, pixels
from tests.support.threads import SOON_S, Threads, is_waiting, threads

__all__ = ["threads"]


def task_of(executor: object) -> SimpleNamespace:
    return SimpleNamespace(_lib=SimpleNamespace(_executor=executor))


@pytest.fixture(scope="module")
def picture() -> ImageArray:
    reader = open_video(DEMO_CLIP)
    shown = reader.next()
    reader.close()
    assert shown is not None
    return np.ascontiguousarray(pixels(shown[1]))


def test_a_detector_has_no_thread_of_python_and_finds_faces_from_any(picture: ImageArray, threads: Threads) -> None:
    before = threading.active_count()
    detector = MediaPipeDetector()
    here = detector.detect(picture, 0.0)
    assert threading.active_count() == before
    there = threads.start(lambda: detector.detect(picture, 1.0)).result(SOON_S)
    detector.close()
    assert len(here) == len(there) == 1
    assert here[0].box == there[0].box


def test_a_closed_detector_refuses_and_may_be_closed_again(picture: ImageArray) -> None:
    detector = MediaPipeDetector()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(cv2.flip(picture, 1), 0.0)  # type: ignore[arg-type]


def test_calls_are_made_at_once_in_the_thread_that_asks_and_errors_reach_it() -> None:
    executor = ThreadPoolExecutor(max_workers=1)
    assert call_directly(task_of(executor))
    assert executor.submit(threading.get_ident).result() == threading.get_ident()
    assert executor.submit(divmod, 7, 2).result() == (3, 1)
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 7, 0)
    assert executor.submit(divmod, 7, 2).result() == (3, 1)  # an error lets the next one in


def test_two_calls_at_once_wait_for_each_other(threads: Threads) -> None:
    executor = ThreadPoolExecutor(max_workers=1)
    call_directly(task_of(executor))
    may_end = threading.Event()
    first = threads.start(lambda: executor.submit(may_end.wait, SOON_S).result())
    assert is_waiting(first)
    second = threads.start(lambda: executor.submit(threading.get_ident).result())
    assert is_waiting(second)
    may_end.set()
    assert first.result(SOON_S)
    assert second.result(SOON_S)


@pytest.mark.parametrize("task", [None, SimpleNamespace(), task_of(None), task_of("another kind")])
def test_a_version_without_such_a_thread_is_left_as_it_is(task: object) -> None:
    assert not call_directly(task)
