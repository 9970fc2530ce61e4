import pytest

from streamaffect.errors import WireError
from streamaffect.feed.address import check_protection, parse_address
from streamaffect.settings import FeedSettings


@pytest.mark.parametrize(
    "text",
    [
        "tcp://127.0.0.1:5556",
        "tcp://127.9.9.9:1",
        "tcp://localhost:0",
        "tcp://[::1]:*",
        "ipc:///run/feed",
        "ipc://feed",
    ],
)
def test_an_address_of_this_machine_alone_needs_no_protection(text: str) -> None:
    assert check_protection(FeedSettings(bind=text)).is_local


@pytest.mark.parametrize(
    "text", ["tcp://0.0.0.0:5556", "tcp://*:5556", "tcp://[::]:5556", "tcp://192.168.1.7:5556", "tcp://eth0:5556"]
)
def test_an_address_that_others_can_reach_needs_keys_or_an_explicit_wish(text: str) -> None:
    with pytest.raises(WireError, match=r"server_key.*allowed_clients.*--insecure-bind"):
        check_protection(FeedSettings(bind=text))
    check_protection(FeedSettings(bind=text, insecure_bind=True))
    check_protection(FeedSettings(bind=text, server_key="server.key_secret", allowed_clients="allowed"))


@pytest.mark.parametrize("settings", [FeedSettings(server_key="a"), FeedSettings(allowed_clients="b")])
def test_half_of_the_keys_is_refused(settings: FeedSettings) -> None:
    with pytest.raises(WireError, match="belong together"):
        check_protection(settings)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5556",
        "127.0.0.1:5556",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://:5556",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:port",
        "tcp://::1:5556",
        "tcp://a b:5556",
        "udp://127.0.0.1:5556",
        "inproc://feed",
        "ipc://",
        "TCP://127.0.0.1:5556",
    ],
)
def test_a_malformed_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(WireError, match=r"for instance tcp://127\.0\.0\.1:5556"):
        parse_address(text)


def test_a_port_that_does_not_exist_is_refused() -> None:
    with pytest.raises(WireError, match="70000 is above 65535"):
        parse_address("tcp://127.0.0.1:70000")


def test_ipv6_is_recognised() -> None:
    assert parse_address("tcp://[::1]:5556").is_ipv6
    assert not parse_address("tcp://127.0.0.1:5556").is_ipv6
