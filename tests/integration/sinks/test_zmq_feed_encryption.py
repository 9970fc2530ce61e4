from pathlib import Path

import msgspec
import pytest
import zmq

from streamaffect.errors import WireError
from streamaffect.feed.client import Subscriber
from streamaffect.feed.keys import WrittenKeys, load_client, write_keys
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from tests.support.feeds import ANY_PORT, WAIT_S, Feed, publishing, received
from tests.support.recordings import estimate_at

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")


@pytest.fixture
def keys(tmp_path: Path) -> WrittenKeys:
    return write_keys(tmp_path / "keys", client="alice")


def encrypted(keys: WrittenKeys) -> FeedSettings:
    return FeedSettings(bind=ANY_PORT, server_key=str(keys.server_key), allowed_clients=str(keys.allowed_clients))


@pytest.fixture
def feed(keys: WrittenKeys) -> "Feed":
    return Feed(encrypted(keys))


def test_a_client_on_the_list_reads_an_encrypted_feed(feed: Feed, keys: WrittenKeys) -> None:
    feed.put(estimate_at(0.0))
    with Subscriber(feed.address, keys=keys.client) as by_folder:
        received(by_folder, 1)
    with Subscriber(feed.address, keys=load_client(keys.client)) as by_value:
        received(by_value, 1)
        assert by_value.connection == "connected"
    feed.close()


def test_a_client_that_is_not_on_the_list_is_refused_and_told_so(feed: Feed, keys: WrittenKeys, tmp_path: Path) -> None:
    stranger = write_keys(tmp_path / "others", client="mallory").client
    (stranger / "server.key").write_bytes((keys.client / "server.key").read_bytes())
    feed.put(estimate_at(0.0))
    with Subscriber(feed.address, keys=stranger) as subscriber:
        _until_refused(subscriber)
        assert subscriber.latest() is None
    feed.close()


def test_a_client_without_keys_is_refused_and_told_so(feed: Feed) -> None:
    feed.put(estimate_at(0.0))
    with Subscriber(feed.address) as subscriber:
        _until_refused(subscriber)
        assert subscriber.latest() is None
    feed.close()


def test_a_refused_client_tries_again_until_the_feed_takes_it(keys: WrittenKeys, tmp_path: Path) -> None:
    bind = f"ipc://{tmp_path}/feed"
    with Subscriber(bind) as subscriber:
        with publishing(bind, server_key=str(keys.server_key), allowed_clients=str(keys.allowed_clients)):
            _until_refused(subscriber)
        with publishing(bind) as plain:
            plain.put(estimate_at(0.0))
            received(subscriber, 1)


def test_a_client_that_expects_another_publisher_gets_nothing(feed: Feed, keys: WrittenKeys, tmp_path: Path) -> None:
    other = write_keys(tmp_path / "others").client
    (keys.client / "server.key").write_bytes((other / "server.key").read_bytes())
    feed.put(estimate_at(0.0))
    with Subscriber(feed.address, keys=keys.client) as subscriber:
        assert subscriber.receive(0.5) is None
        assert subscriber.connection != "connected"
    feed.close()


def test_a_client_that_is_added_to_the_list_is_let_in_without_a_restart(
    feed: Feed, keys: WrittenKeys, tmp_path: Path
) -> None:
    feed.put(estimate_at(0.0))
    bob = write_keys(tmp_path / "keys", client="bob")
    with Subscriber(feed.address, keys=bob.client) as subscriber:
        received(subscriber, 1)
    feed.close()


def test_an_address_that_others_can_reach_is_bound_with_keys_or_on_demand_only(keys: WrittenKeys) -> None:
    everywhere = "tcp://0.0.0.0:0"
    with pytest.raises(WireError, match=r"feed.server_key.*--insecure-bind"):
        ZmqPublisher(FeedSettings(bind=everywhere))
    ZmqPublisher(FeedSettings(bind=everywhere, insecure_bind=True)).close()
    with publishing(everywhere, server_key=str(keys.server_key), allowed_clients=str(keys.allowed_clients)) as feed:
        port = feed.address.rpartition(":")[2]
        feed.put(estimate_at(0.0))
        with Subscriber(f"tcp://127.0.0.1:{port}", keys=keys.client) as subscriber:
            received(subscriber, 1)


@pytest.mark.parametrize("missing", ["server_key", "allowed_clients"])
def test_a_key_that_is_missing_on_disk_stops_the_start(keys: WrittenKeys, missing: str) -> None:
    settings = msgspec.structs.replace(encrypted(keys), **{missing: "/no/such"})
    with pytest.raises(WireError, match=r"/no/such: no such"):
        ZmqPublisher(settings)


def _until_refused(subscriber: Subscriber) -> None:
    waited_s = 0.0
    while subscriber.connection != "refused":
        assert waited_s < WAIT_S, f"the connection is {subscriber.connection}"
        assert subscriber.receive(0.05) is None
        waited_s += 0.05
