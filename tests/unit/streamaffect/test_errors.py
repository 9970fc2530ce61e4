import pytest

from streamaffect.errors import ConfigError, RecordingError, SourceOpenError, StreamAffectError, WireError


@pytest.mark.parametrize("kind", [StreamAffectError, ConfigError, SourceOpenError, RecordingError, WireError])
def test_no_error_carries_a_password_whatever_raises_it(kind: type[StreamAffectError]) -> None:
    error = kind("run.sources = 'rtsp://ann:secret@cam/1?token=secret'")
    assert str(error) == "run.sources = 'rtsp://***@cam/1?token=***"
    assert "secret" not in repr(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb.onnx: missing", r"a\nb.onnx: missing"),
        ("clear \x1b[2J the screen", r"clear \x1b[2J the screen"),
        ("next\u2028line", r"next\u2028line"),
        ("Übung, 日本: ≤ 1 …", "Übung, 日本: ≤ 1 …"),
    ],
)
def test_an_error_is_one_line_and_does_nothing_to_a_terminal(text: str, shown: str) -> None:
    assert str(StreamAffectError(text)) == shown


def test_an_error_says_whether_trying_again_may_help() -> None:
    assert not SourceOpenError("no such file").transient
    assert SourceOpenError("the camera is off", transient=True).transient
