import pytest

from streamaffect.redaction import redact


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
