"""A stream that is heard: its ring, its health, its estimates, and what is refused."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from streamaffect.config import load_config
from streamaffect.errors import ConfigError, ControlError
from streamaffect.feed.wire import decode, encode
from streamaffect.messages import Estimate, Health, Message, SoundHealth, Voice
from streamaffect.pipeline.opening import open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.sound import microphone
from tests.support.bundles import write_bundle
from tests.support.sound.flashes import beeps_in, write_flashes
from tests.support.videos import write_video


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle", past=1, future=0))


def run(path: Path, bundle: Bundle, sound: str) -> tuple[list[Message], Pipeline]:
    config = load_config(flags={"source": {"sound": sound}})
    streams = open_streams([f"clip={path}"], config, bundle)
    with closing(OnnxRuntimeEngine(bundle)) as engine:
        pipeline = Pipeline(streams, bundle, engine, settings=config.source)
        heard = streams[0].sound
        messages = list(pipeline.messages())
        if heard is not None:
            assert beeps_in(heard.ring) == pytest.approx([1.0, 2.52], abs=0.002)
    return messages, pipeline


def last_health(messages: list[Message]) -> Health:
    return next(one for one in reversed(messages) if isinstance(one, Health))


def test_a_file_is_heard_where_it_is_asked_for_and_its_estimates_are_the_same(tmp_path: Path, bundle: Bundle) -> None:
    path = write_flashes(tmp_path / "a.mp4")
    with_sound, _ = run(path, bundle, "auto")
    without, _ = run(path, bundle, "off")
    sound = last_health(with_sound).sound
    assert isinstance(sound, SoundHealth)
    assert (sound.state, sound.clock, sound.heard_share) == ("heard", "container", 1.0)
    assert sound.behind_s is not None and abs(sound.behind_s) < 0.1
    assert decode(encode(last_health(with_sound))) is not None
    assert b'"sound"' not in encode(last_health(without))
    assert last_health(without).sound is msgspec.UNSET
    estimates = [[encode(one) for one in messages if isinstance(one, Estimate)] for messages in (with_sound, without)]
    assert estimates[0] == estimates[1]
    voices = [one for one in with_sound if isinstance(one, Voice)]
    assert [one.pts_s for one in voices] == pytest.approx([0.5 * i for i in range(1, len(voices) + 1)])
    assert len(voices) >= 5
    assert {(one.state, one.track, one.arousal) for one in voices} == {("quiet", None, None)}  # beeps are no voice
    assert not any(isinstance(one, Voice) for one in without)


def test_what_is_heard_is_declared_where_somebody_listens(tmp_path: Path, bundle: Bundle) -> None:
    path = write_flashes(tmp_path / "a.mp4")
    (heard,), (silent,) = (run(path, bundle, sound)[1].metas for sound in ("auto", "off"))
    added = {head.name: [one["name"] for one in head.outputs] for head in heard.heads if head not in silent.heads}
    assert added == {"voice": ["activity", "arousal"], "modalities": ["face", "voice"]}  # none of its fusions fits
    assert heard.heads[: len(silent.heads)] == silent.heads
    again = decode(encode(heard))
    assert again is not None and encode(again) == encode(heard)


def test_whose_a_voice_is_can_be_said_of_a_stream_that_is_heard(tmp_path: Path, bundle: Bundle) -> None:
    path = write_flashes(tmp_path / "a.mp4")
    _, heard = run(path, bundle, "auto")
    heard.give_voice("clip", "largest")
    with pytest.raises(ControlError, match="face 3 is not in view; in view: nobody"):
        heard.give_voice("clip", 3)
    _, silent = run(path, bundle, "off")
    with pytest.raises(ControlError, match="stream 'clip': nobody listens; start the run with --sound"):
        silent.give_voice("clip", "largest")


def test_a_microphone_is_not_opened_for_a_file_that_is_read(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "load_portaudio", lambda: pytest.fail("it was opened"))
    path = write_video(tmp_path / "a.mp4", frames=3)
    config = load_config(flags={"source": {"sound": "mic"}})
    with pytest.raises(ConfigError, match="clip is read from a file, which no microphone hears; --sound auto"):
        open_streams([f"clip={path}"], config, bundle)


@pytest.mark.parametrize("value", ["on", "mic:", "mic: ", "microphone", ""])
def test_what_sound_can_be_is_said(value: str) -> None:
    with pytest.raises(ConfigError, match="expected off, auto, mic or mic:NAME"):
        load_config(flags={"source": {"sound": value}})


@pytest.mark.parametrize(("value", "name"), [("off", None), ("auto", None), ("mic", ""), ("mic:USB: 2", "USB: 2")])
def test_which_microphone_is_meant(value: str, name: str | None) -> None:
    assert load_config(flags={"source": {"sound": value}}).source.microphone == name
