"""The list of an encrypted feed while things go wrong around it: who is on it gets in, and soon."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from streamaffect.errors import WireError
from streamaffect.feed.client import Subscriber
from streamaffect.feed.keys import WrittenKeys, load_client, write_keys
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq import admission, allow_list
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from tests.support.feeds import ANY_PORT, WAIT_S, Feed, received
from tests.support.recordings import estimate_at

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")


@pytest.fixture
def keys(tmp_path: Path) -> WrittenKeys:
    return write_keys(tmp_path / "keys", client="alice")


def settings_of(keys: WrittenKeys) -> FeedSettings:
    return FeedSettings(bind=ANY_PORT, server_key=str(keys.server_key), allowed_clients=str(keys.allowed_clients))


@pytest.fixture
def feed(keys: WrittenKeys) -> Iterator[Feed]:
    feed = Feed(settings_of(keys), said=[estimate_at(0.0)])
    yield feed
    feed.close()


def is_let_in(feed: Feed, client: Path) -> bool:
    """Within half of the time that a list read anew for each stranger would cost."""
    with Subscriber(feed.address, keys=client) as subscriber:
        return subscriber.receive(10.0) is not None


def until(condition: object) -> None:
    assert callable(condition)
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_strangers_and_a_long_list_keep_nobody_out(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys", client="alice")
    for number in range(1000):
        (keys.allowed_clients / f"reader{number}.key").write_text(f'public-key = "{zmq.curve_keypair()[0].decode()}"')
    feed = Feed(settings_of(keys), said=[estimate_at(0.0)])
    server = load_client(keys.client).server
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        for _ in range(100):
            stranger = stack.enter_context(context.socket(zmq.SUB))
            stranger.setsockopt(zmq.LINGER, 0)
            stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
            stranger.curve_serverkey = server
            stranger.subscribe(b"")
            stranger.connect(feed.address)
        assert is_let_in(feed, keys.client)
    feed.close()


def test_a_pipe_that_turns_up_among_the_keys_is_passed_over(feed: Feed, keys: WrittenKeys) -> None:
    os.mkfifo(keys.allowed_clients / "pipe.key")
    bob = write_keys(keys.allowed_clients.parent, client="bob")
    assert is_let_in(feed, keys.client)
    assert is_let_in(feed, bob.client)


def test_a_key_that_is_taken_away_opens_no_further_connection(feed: Feed, keys: WrittenKeys) -> None:
    assert is_let_in(feed, keys.client)
    (keys.allowed_clients / "alice.key").unlink()

    def is_refused() -> bool:
        with Subscriber(feed.address, keys=keys.client) as subscriber:
            until(lambda: subscriber.connection != "waiting")
            return subscriber.connection == "refused"

    until(is_refused)


def test_a_folder_that_cannot_be_read_leaves_the_list_as_it_was(
    feed: Feed, keys: WrittenKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = 0

    def out_of_descriptors(*_: object) -> object:
        nonlocal failed
        failed += 1
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(allow_list, "read_allowed", out_of_descriptors)
        until(lambda: failed >= 2)
        assert is_let_in(feed, keys.client)
    assert caplog.text.count("stays as it was") == 1
    bob = write_keys(keys.allowed_clients.parent, client="bob")
    assert is_let_in(feed, bob.client)


def test_an_error_in_an_answer_ends_nothing(
    feed: Feed, keys: WrittenKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = 0

    def broken(_: object) -> bytes:
        nonlocal failed
        failed += 1
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(admission, "_key", broken)
        with Subscriber(feed.address, keys=keys.client) as subscriber:
            until(lambda: failed >= 1)
            assert subscriber.connection != "connected"
    assert is_let_in(feed, keys.client)
    assert "admission: MemoryError: no room (logged once)" in caplog.text


def test_a_thread_that_has_died_is_started_again(
    feed: Feed, keys: WrittenKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = feed.publisher._admission
    assert watched._allowed is not None
    threads = [watched._thread, watched._allowed._thread]
    with monkeypatch.context() as deadly:
        deadly.setattr(admission.Admission, "_run", lambda _: None)
        deadly.setattr(allow_list.AllowList, "_run", lambda _: None)
        watched._thread, watched._allowed._thread = watched._started(), watched._allowed._started()
        watched._stop = watched._allowed._stop = True  # also ends those that were there before
        for thread in threads:
            thread.join(WAIT_S)
    watched._stop = watched._allowed._stop = False
    bob = write_keys(keys.allowed_clients.parent, client="bob")
    assert is_let_in(feed, bob.client)


def test_a_secret_that_others_can_read_stops_the_start(keys: WrittenKeys) -> None:
    keys.server_key.chmod(0o644)
    with pytest.raises(WireError, match="chmod 600"):
        ZmqPublisher(settings_of(keys))


def test_the_home_of_the_user_may_be_written_as_a_tilde(
    keys: WrittenKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    bind = "ipc://~/feed"
    settings = FeedSettings(bind=bind, server_key="~/keys/server.key_secret", allowed_clients="~/keys/allowed")
    feed = Feed(settings, said=[estimate_at(0.0)])
    assert (tmp_path / "feed").is_socket()
    with Subscriber(bind, keys="~/keys/alice") as subscriber:
        received(subscriber, 1)
    feed.close()
    assert not (tmp_path / "feed").exists()
