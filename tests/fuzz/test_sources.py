"""What is written after `--source`: any text is a source or one line, and no password comes out of either."""

from hypothesis import assume, given
from hypothesis import strategies as st

from streamaffect.config import load_config, to_printed_toml
from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.names import MAX_NAME_BYTES, is_name
from streamaffect.redaction import clean, redact
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import default_name, file_and_tracks, kind_of, make_source, recording_of, split_name
from tests.fuzz.byte_parsers import assert_one_line
from tests.fuzz.effort import effort

SETTINGS = SourceSettings()
PASSWORD = "Hunter2Zebra"  # in no host, path or message

PIECES = """
    rtsp:// RTSP:// http:// https:// ftp:// rtsp:/ file: webcam webcam: demo synthetic: replay: faces=3 size=64x48 fps=
    , = : @ / ? #video=1 [::1] [ ] cam a.mp4 ~ .. %40 9 99999 é 日本
"""
pieces = st.sampled_from([*PIECES.split(), " ", "\n", "\0", "\x1b[2J", "\u2028", "\udcff"])
words = st.lists(pieces | st.text(max_size=5), max_size=8).map("".join)

# What people have in passwords, before and behind the part that is looked for. Of one with a space, only that is hidden
# which could not be meant as a host and words about it.
around = st.text("abcXYZ0189-_.~!$&'()*+,;=:@/?#%[]{}|^\"\\<>`éß", max_size=6)
before_it = around | st.text("abcXYZ", min_size=1, max_size=4).map("{} ".format)
schemes = st.sampled_from(
    ["rtsp://", "RTSP://", "rtsps://", "http://", "https://", "ftp://", "rtsp:/", "rtsp:", "rtmp://"]
)
before = st.sampled_from(["", " ", "lab=", "a=b=", "replay:", "-> ", "'", '"', "[", "x rtsp://ann:pw@other/ "])
behind = st.sampled_from(["", "/", "/1", ":554/live", "/a?x=1", "'", '"]', ": refused", " and more"])


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """An address with the password in its credentials, as it may be typed.

    A password with `://` in it is left out: it cannot be told from a host and the next address.
    """
    user = draw(st.sampled_from(["ann", "admin", "", "a.b"]))
    host = draw(st.sampled_from(["cam", "10.0.0.7", "[::1]", "cam.example.org"]))
    password = draw(before_it) + PASSWORD + draw(around)
    assume("://" not in password)
    return f"{draw(before)}{draw(schemes)}{user}:{password}@{host}{draw(behind)}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    """An address with the password in its query or path."""
    name = draw(
        st.sampled_from(["password", "pwd", "token", "api_key", "auth", "sig", "session", "PASS", "pass%77ord"])
    )
    mark = draw(st.sampled_from(["?", "?a=1&", "?a=1;"]))
    value = draw(st.text("abcXYZ089-_.~%+", max_size=4)) + PASSWORD
    return f"{draw(before)}http://cam/video{mark}{name}={value}{draw(st.sampled_from(['', '&b=2', '#x']))}"


def check_source(text: str) -> None:
    try:
        name, spec = split_name(text)
        assert is_name(name)
        assert len(name) <= MAX_NAME_BYTES
        if kind_of(spec) == "replay":
            assert recording_of(spec)
        else:
            repr(make_source(spec, settings=SETTINGS))
    except StreamAffectError as error:
        assert_one_line(error)


@effort
@given(words)
def test_any_text_is_a_source_or_refused_in_one_line(text: str) -> None:
    check_source(text)


@effort
@given(words)
def test_any_text_has_a_name_and_a_path(text: str) -> None:
    assert is_name(default_name(text))
    path, tracks = file_and_tracks(text)
    assert str(path)
    assert all(track is None or track >= 0 for track in tracks)


@effort
@given(addresses() | queries())
def test_no_password_is_in_a_redacted_text(text: str) -> None:
    assert PASSWORD not in redact(text)
    assert PASSWORD not in clean(f"{text!r} cannot be opened")


@effort
@given(addresses() | queries())
def test_no_password_is_in_an_error_or_in_what_a_source_shows(text: str) -> None:
    shown = []
    try:
        name, spec = split_name(text)
        shown += [name, default_name(spec), kind_of(spec)]
        if kind_of(spec) == "replay":
            raise ConfigError(f"{recording_of(spec)}: is none")
        source = make_source(spec, settings=SETTINGS)
        shown.append(repr(source))
    except StreamAffectError as error:
        assert_one_line(error)
        shown += [str(error), repr(error)]
    assert not [one for one in shown if PASSWORD in one]


@effort
@given(
    addresses() | queries(),
    st.sampled_from(
        ["run.sources={}", "run.source={}", "run.sources=[{!r}]", "{}", "run.record={!r}", "engine.backend={}"]
    ),
)
def test_no_password_is_in_settings_that_are_shown_or_refused(text: str, override: str) -> None:
    # Taken apart at its first dot, such an address is no longer one.
    assume(override != "{}" or " " not in text)
    try:
        shown = to_printed_toml(load_config(None, [override.format(text)]))
    except ConfigError as error:
        assert_one_line(error)
        shown = str(error)
    assert PASSWORD not in shown


@effort
@given(addresses() | queries())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)
