"""Several real feeds joined into one: all messages, the last values, keys on both sides, feeds that mean no good."""

import logging
import threading
from pathlib import Path

import pytest
import zmq

from streamaffect.cli import main
from streamaffect.errors import WireError
from streamaffect.feed.client import Subscriber
from streamaffect.feed.keys import write_keys
from streamaffect.feed.wire import encode, topic_of, without_repeat
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq import proxy as proxy_module
from streamaffect.sinks.zmq.proxy import Proxy
from tests.support.control.desks import meta
from tests.support.feeds import ANY_PORT, WAIT_S, joining, publishing, received, seqs
from tests.support.recordings import estimate_at


def test_who_comes_late_gets_the_last_values_of_all_feeds_and_then_what_follows() -> None:
    a, b = estimate_at(1.0, stream="a", seq=7), estimate_at(1.0, stream="b", seq=9)
    with publishing(said=[meta("a"), a]) as one, publishing(said=[meta("b"), b]) as other, joining(one, other) as proxy:
        with Subscriber(proxy.address) as early:
            first = received(early, 4)
        with Subscriber(proxy.address) as late:
            again = received(late, 4)
            one.put(estimate_at(2.0, stream="a", seq=8))
            other.put(estimate_at(2.0, stream="b", seq=10))
            more = received(late, 2)
            assert late.lost == 0
    for messages in (first, again):
        assert {message.stream for message in messages} == {"a", "b"}
        assert sorted(seqs(messages)) == [7, 9]
    assert sorted(seqs(more)) == [8, 10]


def test_a_message_is_passed_on_byte_for_byte_with_fields_that_this_release_does_not_know() -> None:
    estimate = estimate_at(1.0, stream="a", seq=1)
    payload = encode(estimate)[:-1] + b',"of_tomorrow":[1,2]}'
    with zmq.Context() as context, context.socket(zmq.XPUB) as raw, context.socket(zmq.SUB) as reader:
        port = raw.bind_to_random_port("tcp://127.0.0.1")
        proxy = Proxy([f"tcp://127.0.0.1:{port}"], FeedSettings(bind=ANY_PORT))
        thread = threading.Thread(target=proxy.run)
        thread.start()
        reader.connect(proxy.address)
        reader.subscribe(b"affect/")
        reader.setsockopt(zmq.RCVTIMEO, round(WAIT_S * 1000))
        try:
            for _ in range(4):
                assert raw.poll(round(WAIT_S * 1000))
                raw.recv()
            for bad in (
                [b"affect/a/1/", b"{}"],
                [b"affect/b/1/", payload],
                [b"affect/x"],
                [topic_of(estimate), payload],
            ):
                raw.send_multipart(bad)
            topic, came = reader.recv_multipart()
            assert (topic, without_repeat(came)) == (topic_of(estimate), payload)
        finally:
            proxy.stop()
            thread.join(WAIT_S)
            proxy.close()


def test_a_name_that_two_feeds_use_belongs_to_the_first_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING),
        publishing(said=[meta("cam")]) as one,
        publishing() as other,
        joining(one, other) as proxy,
        Subscriber(proxy.address) as reader,
    ):
        received(reader, 1)
        other.put(meta("cam"), estimate_at(1.0, stream="cam", seq=5), meta("own"))
        assert received(reader, 1) == [meta("own")]
    assert "stream 'cam': comes from" in caplog.text


def test_a_stream_that_has_gone_is_given_to_nobody_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "SILENT_S", 0.3)
    with publishing() as there, joining(there) as proxy, Subscriber(proxy.address) as reader:
        while reader.receive(0.1) is None:
            there.put(meta("gone"))
        threading.Event().wait(1.0)
        with Subscriber(proxy.address) as late:
            assert late.receive(0.5) is None


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")
def test_both_sides_are_encrypted_and_each_feed_may_have_keys_of_its_own(tmp_path: Path) -> None:
    one_keys, other_keys, own = (write_keys(tmp_path / name) for name in ("one", "other", "own"))
    settings = FeedSettings(bind=ANY_PORT, server_key=str(own.server_key), allowed_clients=str(own.allowed_clients))
    one = publishing(
        server_key=str(one_keys.server_key), allowed_clients=str(one_keys.allowed_clients), said=[meta("a")]
    )
    other = publishing(
        server_key=str(other_keys.server_key), allowed_clients=str(other_keys.allowed_clients), said=[meta("b")]
    )
    with one as first, other as second:
        keys = {first.address: one_keys.client, "": other_keys.client}
        with joining(first, second, settings=settings, keys=keys) as proxy:
            with Subscriber(proxy.address, keys=own.client) as reader:
                assert {message.stream for message in received(reader, 2)} == {"a", "b"}
            with Subscriber(proxy.address) as stranger:
                assert stranger.receive(0.5) is None


@pytest.mark.parametrize(
    ("feeds", "bind", "keys", "reason"),
    [
        (["tcp://127.0.0.1:5556"], "tcp://0.0.0.0:5560", {}, "can be reached from other machines"),
        (["tcp://127.0.0.1:5556"], "tcp://127.0.0.1:5556", {}, "is one of the feeds that are joined"),
        (["tcp://127.0.0.1:1", "tcp://127.0.0.1:1"], ANY_PORT, {}, "is given twice"),
        (["127.0.0.1:5556"], ANY_PORT, {}, "expected tcp://HOST:PORT"),
        (["tcp://127.0.0.1:1"], ANY_PORT, {"tcp://127.0.0.1:2": Path("x")}, "is none of the feeds"),
    ],
)
def test_what_cannot_be_joined_is_one_clear_line(
    feeds: list[str], bind: str, keys: dict[str, Path], reason: str
) -> None:
    with pytest.raises(WireError, match=reason):
        Proxy(feeds, FeedSettings(bind=bind), keys=keys)


def test_the_verb_joins_feeds_and_ends_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["proxy", "tcp://127.0.0.1:1", "--bind", ANY_PORT, "--max-seconds", "0.1"]) == 0
    assert main(["proxy", "tcp://127.0.0.1:1", "--bind", ANY_PORT, "--keys", "tcp://127.0.0.1:1="]) == 2
    assert "1 feed(s) are joined at tcp://127.0.0.1:" in capfd.readouterr().err
