"""Video files: whatever has happened to one, its pictures come in order of time, or one line says why not."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.errors import StreamAffectError
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source
from streamaffect.types import pixels
from tests.cases.make_inputs import Track, scene, write
from tests.fuzz.byte_parsers import assert_one_line
from tests.fuzz.effort import effort
from tests.fuzz.mutation import mutated
from tests.support.sound.flashes import KeepingEar

PICTURES = [scene(number) for number in range(8)]
# Codecs of pictures and sound, and whether pictures are stored ahead.
FILES = {
    "a.mp4": ("mpeg4", "aac", True),
    "a.mkv": ("libx264", "libopus", True),
    "a.avi": ("mpeg4", "libmp3lame", True),
    "a.flv": ("flv", "aac", False),
    "a.ts": ("mpeg2video", "mp2", True),
    "a.mpg": ("mpeg2video", "mp2", True),
    "a.mxf": ("mpeg2video", "", True),
    "a.ogv": ("libvpx", "flac", False),
    "a.wmv": ("wmv2", "libmp3lame", False),
    "a.gif": ("gif", "", False),
}
WORDS = [b"", b"\0" * 4, b"\0\0\0\1", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 200, b"ftyp", b"mdat", b"RIFF", b"OggS"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return {name: made(tmp_path_factory.mktemp("videos") / name) for name in FILES}


def made(path: Path) -> bytes:
    codec, sound, reorders = FILES[path.name]
    track = Track(PICTURES, codec=codec, reorders=reorders, planes="rgb8" if codec == "gif" else "")
    return write(
        path, track, sound_s=0.3 if sound else 0.0, sound=sound or "aac", kind={"a.ogv": "ogg"}.get(path.name)
    ).read_bytes()


@effort
@given(st.data(), st.sampled_from(sorted(FILES)), st.booleans())
def test_a_damaged_video_is_read_in_order_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    originals: dict[str, bytes],
    data: st.DataObject,
    name: str,
    is_heard: bool,
) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / name
    path.write_bytes(data.draw(mutated(originals[name], words=WORDS, most=12)))
    last_s = -math.inf
    try:
        with make_source(str(path), settings=SourceSettings(), ear=KeepingEar() if is_heard else None) as source:
            source.open()
            for _ in range(100):
                frame = source.read()
                assert pixels(frame.image).ndim == 3
                assert frame.time_s > last_s
                last_s = frame.time_s
    except StreamAffectError as error:
        assert_one_line(error)
