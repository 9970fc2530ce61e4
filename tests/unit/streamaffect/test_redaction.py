import argparse
from base64 import b64encode
from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamaffect.arguments.parser import make_parser
from streamaffect.redaction import SHORTEST, redact, remember, remember_words, remembering


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://ann:secret@cam/1", "rtsp://***@cam/1"),
        ("RTSP://ann:secret@cam:554/1", "RTSP://***@cam:554/1"),
        ("rtsp://ann@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:s%40cret%2F@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:se@cret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:se/cret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:se?cret#@cam/1", "rtsp://***@cam/1"),
        ('rtsp://ann:se"cret@cam/1', "rtsp://***@cam/1"),
        ("rtsp://:secret@[::1]:554/1", "rtsp://***@[::1]:554/1"),
        ("http://cam/v?token=secret&size=2", "http://cam/v?token=***&size=2"),
        ("http://cam/v?size=2&API_Key=secret#x", "http://cam/v?size=2&API_Key=***#x"),
        ("http://cam/v?pass%77ord=secret", "http://cam/v?pass%77ord=***"),
        ("rtsp://cam/user=admin_password=secret_channel=1.sdp", "rtsp://cam/user=***"),
        ("lab=rtsp://ann:secret@cam/1: refused", "lab=rtsp://***@cam/1: refused"),
    ],
)
def test_credentials_are_hidden_and_the_rest_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" rtsp://ann:secret@cam/1", " rtsp://***@cam/1"),
        ("a=b=rtsp://ann:secret@cam", "a=b=rtsp://***@cam"),
        ("replay:rtsp://ann:secret@cam", "replay:rtsp://***@cam"),
        ("rtsp:/ann:secret@cam/1", "rtsp:/***@cam/1"),
        ("/srv/rtsp:/ann:secret@cam/1", "/srv/rtsp:/***@cam/1"),
        ("rtsp:ann:secret@cam", "rtsp:***@cam"),
        ("rtsp//ann:secret@cam", "rtsp//***@cam"),
        ("rtsp:\\\\ann:secret@cam", "rtsp:\\\\***@cam"),
        ("ann:secret@cam/1", "***@cam/1"),
        ("rtsp://ann:sec secret@cam/1: refused", "rtsp://***@cam/1: refused"),
        ("rtsp://ann:12 secret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann: secret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:secret and no host", "rtsp://*** and no host"),
        ("sources = ['rtsp://ann:secret@cam', 'demo']", "sources = ['rtsp://***@cam', 'demo']"),
        ("cam/v?pwd=secret", "cam/v?pwd=***"),
        ("http://cam/v?u=ann&p=secret", "http://cam/v?u=***&p=***"),
        ("rtsp://cam/channel=1_password=secret", "rtsp://cam/channel=1_password=***"),
    ],
)
def test_credentials_of_a_mistyped_address_are_hidden_too(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


def test_no_example_of_the_help_is_taken_for_a_secret() -> None:
    [verbs] = [one.choices for one in make_parser()._actions if isinstance(one, argparse._SubParsersAction)]
    for verb in verbs.values():
        assert "***" not in redact(verb.format_help())


def test_every_url_of_a_line_is_redacted() -> None:
    text = "from rtsp://a:secret@one/x to https://b:secret@two/y?sig=secret, ask bob@example.org"
    assert redact(text) == "from rtsp://***@one/x to https://***@two/y?sig=*** ask bob@example.org"


def test_urls_that_follow_each_other_without_a_space_are_redacted_each() -> None:
    assert redact("rtsp://a:secret@one|rtsp://b:secret@two") == "rtsp://***@one|rtsp://***@two"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "webcam:1",
        "write to bob@example.org",
        "a/b=c.mp4",
        "http://cam/v?size=2",
        "replay:/home/ann/talk@home.jsonl",
        "tcp://127.0.0.1:5556: the address is in use",
        "rtsp://cam:554 refuses, ask bob@example.org",
        "rtsp://[::1]:554/1: no answer on port 554",
        '{"model":"default@1.0","stream":"cam"}',
        "give them as rtsp://user:password@host/…",
        "expected tcp://HOST:PORT or ipc://PATH",
    ],
)
def test_text_without_credentials_is_unchanged(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact("rtsp://ann:secret@cam/1?token=secret")
    assert redact(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://ann:a://secret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:secret@b://secret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:http://secret@cam/1: refused", "rtsp://***@cam/1: refused"),
        ("rtsp://ann:12; secret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://ann:/ secret@cam/1", "rtsp://***@cam/1"),
        ("http://proxy/?url=rtsp%3A%2F%2Fann%3Asecret%40cam&x=1", "http://proxy/?url=rtsp%3A%2F%2F***&x=1"),
        ("Authorization: Basic YW5uOnNlY3JldA==", "Authorization: Basic ***"),
        ("tcp://cam:554, tcp://127.0.0.1:5556", "tcp://cam:554, tcp://127.0.0.1:5556"),
        ("tcp://cam:554,tcp://127.0.0.1:5556", "tcp://cam:554,tcp://127.0.0.1:5556"),
        ("http://proxy/?url=rtsp%3A%2F%2Fcam%2F1", "http://proxy/?url=rtsp%3A%2F%2Fcam%2F1"),
    ],
)
def test_an_address_inside_a_password_or_another_address_is_hidden_with_it(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


@given(password=st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="*"), min_size=4))
def test_what_was_given_as_a_password_is_hidden_wherever_and_however_it_is_written(password: str) -> None:
    assume("@" not in password or ":" not in password)  # two addresses, or one with an odd password: nobody knows
    with remembering():
        remember(f"door=rtsp://ann:{password}@cam/1")
        for written in (password, quote(password, safe=""), unquote(password), repr(password)[1:-1]):
            assert len(written) < SHORTEST or redact(f"«{written}»") == "«***»"


def test_parts_of_a_password_that_an_error_may_mention_are_hidden() -> None:
    with remembering():
        remember("rtsp://ann:first/second words@cam")
        assert redact("port 'first' is no number") == "port '***' is no number"
        assert redact("no such host: second") == "no such host: ***"
        assert redact(b64encode(b"ann:first/second words").decode()) == "***"


def test_a_password_that_the_shell_has_split_is_remembered_as_a_whole() -> None:
    with remembering():
        remember_words(["run", "--source", "rtsp://ann:first", "second@cam/1", "--bind", "x@y"])
        assert redact("unrecognized arguments: second@cam/1") == "unrecognized arguments: ***@cam/1"
        assert redact("--bind") == "--bind"


def test_what_names_a_user_or_is_short_is_no_secret_by_itself() -> None:
    with remembering():
        remember("http://cam/?user=webcam&password=abc", "rtsp://webcam@cam/demo", "lab=demo", "tcp://127.0.0.1:5556")
        for text in ("webcam abc demo", "tcp://127.0.0.1:5556"):
            assert redact(text) == text


@pytest.mark.parametrize(
    "piece", ["a", "a:", "a:b@", "://", "a://", "_", "?a=", "=", "a@", ",", "%3A%2F%2F", "rtsp:", "'"]
)
def test_no_text_is_too_odd_to_be_looked_at(piece: str) -> None:
    text = piece * 3000
    for odd in (text, f"@{text}@", f"rtsp://{text}=@:"):
        assert len(redact(odd)) <= 3 * len(odd)


def test_nothing_is_remembered_beyond_the_command_that_it_was_given_to() -> None:
    with remembering():
        remember("rtsp://ann:secret@cam")
        assert redact("secret") == "***"
    assert redact("secret") == "secret"
    remember("rtsp://ann:secret@cam")
    assert redact("secret") == "secret"
