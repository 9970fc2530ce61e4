"""Where the page may be offered, by which names it may be asked for, and the token that keeps others out."""

import stat
from pathlib import Path

import pytest

from streamaffect.errors import ConfigError
from streamaffect.settings import WebSettings
from streamaffect.sinks.web.address import Hosts, page_address
from streamaffect.sinks.web.token import read_token


@pytest.mark.parametrize(
    "bind", ["8765", "127.0.0.1", "127.0.0.1:99999", "http://127.0.0.1:1", "a b:1", ":1", "::1:80"]
)
def test_what_is_no_host_and_port_is_refused(bind: str) -> None:
    with pytest.raises(ConfigError, match="expected HOST:PORT"):
        page_address(WebSettings(bind=bind))


@pytest.mark.parametrize("bind", ["0.0.0.0:8765", "[::]:8765", "192.168.1.4:80", "lab.example:8765"])
def test_an_address_that_others_can_reach_needs_a_token(bind: str) -> None:
    with pytest.raises(ConfigError, match="--web-token FILE"):
        page_address(WebSettings(bind=bind))
    assert not page_address(WebSettings(bind=bind, token_file="token")).is_local


@pytest.mark.parametrize("bind", ["127.0.0.1:8765", "localhost:0", "[::1]:8765", "127.8.8.8:1"])
def test_loopback_needs_none(bind: str) -> None:
    assert page_address(WebSettings(bind=bind)).is_local


def test_on_loopback_the_page_has_loopbacks_names_and_those_of_the_settings_alone() -> None:
    hosts = Hosts.of(page_address(WebSettings(bind="127.0.0.1:8765")), ["Lab.example"])
    for name in ("127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765", "lab.example:443"):
        assert hosts.allow(name), name
    for name in (
        "",
        "evil.example",
        "192.168.1.4:8765",
        "127.0.0.1.evil.example",
        "localhost; script-src *",
        "a@localhost",
    ):
        assert not hosts.allow(name), name


def test_offered_to_others_the_page_has_literal_addresses_too_and_no_foreign_name() -> None:
    hosts = Hosts.of(page_address(WebSettings(bind="0.0.0.0:8765", token_file="token")), [])
    assert hosts.allow("192.168.1.4:8765")
    assert hosts.allow("[2001:db8::1]:8765")
    assert not hosts.allow("evil.example:8765")


def test_a_token_file_that_is_not_there_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    made = read_token(str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text().strip()
    assert made.is_it(text)
    assert read_token(str(file)).cookie == made.cookie
    assert text not in made.cookie
    assert not made.is_it(text[:-1])
    assert not made.is_it("")
    assert not made.is_cookie(text)


@pytest.mark.parametrize("text", ["", "short", "x" * 600, "two words and more of them", "ümlaut-ümlaut-ümlaut"])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected one word"):
        read_token(str(file))


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("x" * 32)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_token(str(file))


def test_a_token_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_token(str(tmp_path / "none" / "token"))
