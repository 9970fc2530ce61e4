"""What people really do, beside reading files (`test_files.py`), and what is right for it.

What is not here has its test where the module's others are:

- names under LC_ALL=C and ASCII outputs: integration/verbs/test_outputs.py
- long stems and names of streams: unit/streamaffect/sources/test_parse.py
- a wall clock that steps: chaos/test_time.py
- an ipc address that is a file, huge topics: integration/sinks/test_zmq_feed.py, test_zmq_feed_under_attack.py
- a recording onto its own source, a folder as one: unit/streamaffect/sinks/test_recorder.py
- forks: integration/analysis/test_forks.py; an abandoned iterator: chaos/test_abandoned.py
- None, a path, a list instead of a picture: integration/analysis/test_analyze_image.py
- one frame, a time lapse, why there is no face: integration/pipeline/test_remarks.py
- a cut, a face on its head: integration/faces/test_cuts.py, test_upright.py
- streams named 007, NA, 1e5: integration/recordings/test_export.py
- joined recordings: unit/streamaffect/recordings/test_reading.py
- a byte order mark, `~`: unit/streamaffect/test_paths.py
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cv2
import pytest

import streamaffect
from streamaffect.errors import SourceEndedError, SourceOpenError, StreamAffectError
from streamaffect.sources.file import FileSource
from streamaffect.types import ImageArray
from tests.cases.make_inputs import FPS, Track, scene, write

NO_TEXT = "\ud800"  # half a character, which no encoding has

CALLS: dict[str, Callable[[str], object]] = {
    "analyze": lambda text: list(streamaffect.analyze(text)),
    "analyze a file in a folder": lambda text: list(streamaffect.analyze(f"folder/{text}.mp4")),
    "analyze a named source": lambda text: list(streamaffect.analyze(f"{text}=demo")),
    "analyze a camera": lambda text: list(streamaffect.analyze(f"rtsp://{text}/1")),
    "analyze a camera's path": lambda text: list(streamaffect.analyze(f"http://127.0.0.1:9/{text}?a={text}")),
    "analyze with a bundle": lambda text: list(streamaffect.analyze("demo", bundle=text)),
    "load_bundle": streamaffect.load_bundle,
    "analyze_image": lambda text: streamaffect.analyze_image(cast("ImageArray", text)),
    "Subscriber on ipc": lambda text: streamaffect.Subscriber(f"ipc://{text}"),
    "Subscriber on tcp": lambda text: streamaffect.Subscriber(f"tcp://{text}:5556"),
    "Subscriber of a stream": lambda text: streamaffect.Subscriber("tcp://127.0.0.1:5556", stream=text),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_text_that_nothing_can_be_named_with_is_one_clear_error(name: str) -> None:
    with pytest.raises(StreamAffectError) as raised:
        CALLS[name](NO_TEXT)
    said = str(raised.value)
    assert said.encode().decode() == said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe_is_called_one_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceOpenError, match="is a named pipe"):
        FileSource(tmp_path / "pipe.mp4").open()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff"])
def test_a_picture_is_called_one_with_what_estimates_it(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"portrait.{suffix}"), scene(0))
    with pytest.raises(SourceOpenError, match=r"is a single picture, not a video; streamaffect\.analyze_image"):
        FileSource(tmp_path / f"portrait.{suffix}").open()


def test_an_animation_that_cannot_be_decoded_is_no_single_picture(tmp_path: Path) -> None:
    moving = cv2.Animation()
    moving.frames, moving.durations = [scene(0), scene(1)], [40, 40]
    cv2.imwriteanimation(str(tmp_path / "wave.webp"), moving)
    with pytest.raises(SourceOpenError, match="is an animation in WebP, which FFmpeg cannot decode"):
        FileSource(tmp_path / "wave.webp").open()


@pytest.mark.parametrize("reorders", [False, True])
@pytest.mark.parametrize("container", ["mp4", "mkv", "mpg"])
@pytest.mark.parametrize("count", [1, 2])
def test_one_frame_is_a_video_and_so_are_two(tmp_path: Path, count: int, container: str, reorders: bool) -> None:
    codec = "mpeg2video" if container == "mpg" else "mpeg4"
    pictures = [scene(number) for number in range(count)]
    source = FileSource(write(tmp_path / f"clip.{container}", Track(pictures, codec=codec, reorders=reorders)))
    source.open()
    assert [source.read().pts_s for _ in range(count)] == [pytest.approx(number / FPS) for number in range(count)]
    with pytest.raises(SourceEndedError):
        source.read()
    source.close()
