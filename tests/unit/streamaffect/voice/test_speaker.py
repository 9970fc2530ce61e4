"""Whose voice is heard."""

import pytest

from streamaffect.config import load_config
from streamaffect.errors import ConfigError, ControlError
from streamaffect.types import Box, Face, Sighting
from streamaffect.voice.speaker import Speaker


def faces(**widths: float) -> list[Sighting]:
    """Square faces by track, `t3=0.2`."""
    return [
        Sighting(int(name[1:]), Face(Box(0, 0, width, width), 0.9), visible=True, crop=None, quality=None)
        for name, width in widths.items()
    ]


def test_a_voice_is_that_of_the_face_that_is_alone_and_of_nobody_otherwise() -> None:
    speaker = Speaker()
    assert speaker.track(faces(t3=0.2)) == 3
    assert speaker.track(faces(t3=0.2, t4=0.1)) is None
    assert speaker.track([]) is None


def test_the_largest_face_keeps_the_voice_until_another_is_clearly_larger() -> None:
    speaker = Speaker("largest")
    assert speaker.track(faces(t1=0.20, t2=0.21)) == 2
    assert speaker.track(faces(t1=0.22, t2=0.20)) == 2
    assert speaker.track(faces(t1=0.30, t2=0.20)) == 1
    assert speaker.track(faces(t2=0.20)) == 2


def test_a_face_that_is_named_has_the_voice_while_it_is_in_view_and_nobody_after_it() -> None:
    speaker = Speaker(7)  # not there yet
    assert speaker.track(faces(t1=0.2)) is None
    assert speaker.track(faces(t1=0.3, t7=0.1)) == 7
    assert speaker.track(faces(t1=0.3)) is None


def test_a_voice_is_given_to_a_face_in_view_alone() -> None:
    speaker = Speaker()
    speaker.track(faces(t1=0.2, t2=0.1))
    with pytest.raises(ControlError, match="face 9 is not in view; in view: 1, 2"):
        speaker.give(9)
    speaker.give(2)
    assert speaker.track(faces(t1=0.2, t2=0.1)) == 2
    speaker.give("nobody")
    assert speaker.track(faces(t1=0.2)) is None


@pytest.mark.parametrize(
    ("text", "door", "desk"),
    [("only", "only", "only"), ("largest,desk=3", "largest", 3), (" door = nobody , 4", "nobody", 4)],
)
def test_it_is_set_for_all_streams_and_for_single_ones(text: str, door: object, desk: object) -> None:
    settings = load_config(flags={"voice": {"track": text}}).voice
    assert (settings.whose("door"), settings.whose("desk")) == (door, desk)


@pytest.mark.parametrize("text", ["", "me", "-1", "door=", "largest,,", "²"])
def test_what_is_nobody_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"voice.*expected only, largest, nobody or the number of a face"):
        load_config(flags={"voice": {"track": text}})
