"""The page's server over real sockets: who is let in, what scripts get, and that nobody slows the run."""

import logging
import socket
import time
from pathlib import Path

import pytest

from streamaffect.errors import ConfigError, WireError
from streamaffect.messages import Event
from streamaffect.settings import WebSettings
from streamaffect.sinks.web.live import MOST_CLIENTS
from streamaffect.sinks.web.server import STATIC, PageServer
from tests.support.recordings import health_of, live_estimate_at, meta_of
from tests.support.web.pages import Caller, Clerk, ask, page

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(TOKEN)
    return str(file)


def test_scripts_get_the_newest_values_and_the_streams() -> None:
    with page() as (sink, port):
        for message in (meta_of("webcam", live=True), health_of("webcam"), live_estimate_at(0, seq=7)):
            sink.send(message)
        latest = ask(port, "/v1/latest")
        assert latest.headers["content-type"] == "application/json"
        (estimate,) = latest.json["estimates"]
        assert (estimate["seq"], estimate["valence"]) == (7, 0.31)
        assert ask(port, "/v1/latest?track=99").json["estimates"] == []
        assert ask(port, "/v1/latest?track=x").status == 400
        (stream,) = ask(port, "/v1/streams").json["streams"]
        assert (stream["stream"], stream["health"]["fps_in"], stream["meta"]["model"]) == ("webcam", 25, "default@1.0")
        assert ask(port, "/v1/picture?stream=webcam").status == 404


def test_events_are_sent_as_they_come() -> None:
    with page() as (sink, port), socket.create_connection(("127.0.0.1", port), timeout=30) as reader:
        sink.send(live_estimate_at(0, seq=1))
        reader.sendall(f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        read = b""
        while b'"seq":1,' not in read:
            read += reader.recv(4096)
        assert b"text/event-stream" in read
        assert b'data: {"kind":"affect"' in read
        sink.send(Event(stream="webcam", t_ns=1, event="marker", label="go"))
        while b'"label":"go"' not in read:
            read += reader.recv(4096)


@pytest.mark.parametrize("path", ["/", "/v1/latest", "/static/main.js", "/v1/streams", "/none"])
def test_a_foreign_name_is_refused_whatever_is_asked_for(path: str) -> None:
    with page() as (_, port):
        assert ask(port, path, Host="evil.example").status == 421
        assert ask(port, path, Host=f"localhost:{port}").status == (404 if path == "/none" else 200)


def test_a_page_of_another_site_gets_nothing() -> None:
    with page() as (_, port):
        assert ask(port, "/v1/latest", sec_fetch_site="cross-site").status == 403
        assert ask(port, "/v1/latest", origin="http://evil.example").status == 403
        assert ask(port, "/v1/latest", sec_fetch_site="same-origin").status == 200
        assert ask(port, "/v1/latest").headers.get("access-control-allow-origin") is None
        for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port + 1}"):
            with Caller(port, origin=origin) as caller:
                assert caller.refused == 403, origin
        with Caller(port, origin=f"http://127.0.0.1:{port}") as caller:
            assert caller.refused == 0


def test_pages_of_an_address_that_is_named_read_values_and_do_nothing_else(token_file: str) -> None:
    mine = "http://localhost:8000"
    with page(origins=[f"{mine}/"]) as (sink, port):
        sink.send(live_estimate_at(0))
        answer = ask(port, "/v1/latest", origin=mine, sec_fetch_site="cross-site")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, mine)
        assert answer.headers["vary"] == "Origin"
        for path, origin in (("/v1/latest", "http://localhost:8001"), ("/v1/page", mine), ("/", mine)):
            refused = ask(port, path, origin=origin, sec_fetch_site="cross-site")
            assert (refused.status, refused.headers.get("access-control-allow-origin")) == (403, None), path
        assert ask(port, "/v1/latest", method="POST", origin=mine).status == 403
        with Caller(port, origin=mine) as caller:
            assert caller.refused == 403
    with page(origins=[mine], token_file=token_file) as (_, port):
        assert ask(port, "/v1/latest", origin=mine).status == 401
        preflight = ask(port, "/v1/latest", method="OPTIONS", origin=mine)
        assert (preflight.status, preflight.headers["access-control-allow-headers"]) == (204, "authorization")
        word = Path(token_file).read_text().strip()
        assert ask(port, "/v1/latest", origin=mine, authorization=f"Bearer {word}").status == 200


@pytest.mark.parametrize(
    "origin", ["*", "null", "localhost:8000", "http://localhost:8000/page.html", "http://*.example"]
)
def test_an_address_of_pages_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.origins .*: expected SCHEME://HOST:PORT"), page(origins=[origin]):
        pass


def test_what_is_answered_may_load_nothing_from_elsewhere() -> None:
    with page() as (_, port):
        answer = ask(port, "/")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'")
        assert f"connect-src 'self' ws://127.0.0.1:{port}" in policy
        assert "unsafe" not in policy
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        for file in STATIC.rglob("*.*"):
            text = file.read_text(encoding="utf-8")
            assert 'fetch("http' not in text and 'src="http' not in text and "@import" not in text, file


def test_without_the_token_nothing_of_the_run_is_shown(token_file: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with page(token_file=token_file) as (sink, port):
        sink.send(live_estimate_at(0))
        for path in ("/v1/latest", "/v1/streams", "/v1/events", "/v1/page"):
            assert ask(port, path).status == 401, path
            assert ask(port, path, authorization="Bearer wrong").status == 401, path
        with Caller(port) as caller:
            assert caller.refused == 401
        assert ask(port, "/").status == 200
        assert ask(port, "/v1/door").json == {"closed": True}
        assert len(ask(port, "/v1/latest", authorization=f"Bearer {TOKEN}").json["estimates"]) == 1
        assert ask(port, "/v1/login", method="POST", body="wrong").status == 401
        assert ask(port, "/v1/login", method="POST", body="x" * 5000).status == 413
        cookie = ask(port, "/v1/login", method="POST", body=TOKEN).headers["set-cookie"]
        assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and TOKEN not in cookie
        kept = cookie.partition(";")[0]
        assert ask(port, "/v1/door", cookie=kept).json == {"closed": False}
        assert ask(port, "/v1/latest", cookie=kept).status == 200
        assert ask(port, "/v1/latest", cookie=kept[:-1]).status == 401
        with Caller(port, cookie=kept) as caller:
            assert caller.refused == 0
    assert TOKEN not in caplog.text


def test_commands_are_carried_out_and_answered_and_a_refusal_says_why() -> None:
    clerk = Clerk()
    with page(actions=clerk) as (_, port), Caller(port) as caller:
        assert caller.next("update")["commands"] is True
        caller.send({"command": "mark", "label": "stimulus 1"})
        assert caller.next("reply")["text"] == "done: mark"
        caller.send({"command": "mark", "label": "refuse"})
        reply = caller.next("reply")
        assert (reply["ok"], reply["error"]) == (False, "refused, and why")
        assert [one["label"] for one in clerk.asked] == ["stimulus 1", "refuse"]


def test_that_a_recording_has_begun_is_told_to_every_page_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.sinks.web.live.SILENCE_S", float("inf"))  # nothing else is told in this test
    with page(actions=Clerk()) as (_, port), Caller(port) as one, Caller(port) as other:
        assert other.next("update")["recording"] == ""
        one.send({"command": "record"})
        assert other.next("update")["recording"] == "session.jsonl"


def test_a_page_without_commands_says_so_and_takes_none() -> None:
    with page() as (_, port), Caller(port) as caller:
        assert caller.next("update")["commands"] is False
        caller.send({"command": "mark", "label": "x"})
        assert "takes no commands" in caller.next("reply")["error"]


def test_a_client_that_reads_nothing_costs_nobody_anything_and_gets_the_newest_later() -> None:
    with page() as (sink, port), Caller(port) as slow, Caller(port) as quick:
        longest_s = 0.0
        for i in range(30_000):  # megabytes, were each sent to each
            started_s = time.perf_counter()
            sink.send(live_estimate_at(i / 100, seq=i, track=i % 8))
            longest_s = max(longest_s, time.perf_counter() - started_s)
        sink.send(live_estimate_at(400, seq=30_000))
        for caller in (quick, slow):
            seqs: list[int] = []
            updates = 0
            while 30_000 not in seqs:
                seqs += [one["seq"] for one in caller.next("update")["messages"]]
                updates += 1
            assert updates < 3_000  # not one for each message
        assert longest_s < 5.0


def test_more_clients_than_there_is_room_for_are_sent_away_and_one_that_goes_makes_room() -> None:
    with page() as (_, port):
        callers = [Caller(port) for _ in range(MOST_CLIENTS)]
        for caller in callers:
            caller.next("update")
        assert ask(port, "/v1/events").status == 503
        callers.pop().__exit__()
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            with Caller(port) as another:
                if another.refused == 0:
                    another.next("update")
                    break
            time.sleep(0.05)
        else:
            pytest.fail("nobody made room")
        for caller in callers:
            caller.__exit__()


def test_a_port_that_is_in_use_is_said() -> None:
    with page() as (_, port), pytest.raises(WireError, match="in use"):
        PageServer(WebSettings(bind=f"127.0.0.1:{port}"))


def test_closing_frees_the_port_at_once_with_clients_that_stay(caplog: pytest.LogCaptureFixture) -> None:
    with page() as (sink, port), Caller(port) as caller:
        caller.next("update")
        started_s = time.monotonic()
        sink.close()
        assert time.monotonic() - started_s < 20
    with page(port=port):
        assert ask(port, "/v1/page").json["mode"] == "live"
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_what_is_not_ours_in_the_page_is_named_with_its_hash() -> None:
    import hashlib

    named = (STATIC.parents[2] / "assets" / "THIRD_PARTY.md").read_text(encoding="utf-8")
    for file in (STATIC / "vendor").iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() in named, file.name
