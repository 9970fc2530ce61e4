import pytest

from streamaffect.errors import ConfigError, RecordingError, SourceOpenError, StreamAffectError, WireError


@pytest.mark.parametrize("kind", [StreamAffectError, ConfigError, SourceOpenError, RecordingError, WireError])
def test_no_error_carries_a_password_whatever_raises_it(kind: type[StreamAffectError]) -> None:
    error = kind("run.sources = 'rtsp://ann:secret@cam/1?token=secret'")
    assert str(error) == "run.sources = 'rtsp://***@cam/1?token=***"
    assert "secret" not in repr(error)


def test_an_error_says_whether_trying_again_may_help() -> None:
    assert not SourceOpenError("no such file").transient
    assert SourceOpenError("the camera is off", transient=True).transient
