from streamaffect.feed.wire import encode, topic_of
from streamaffect.messages import Event, Message
from streamaffect.sinks.zmq.last_messages import REPEAT_S, SETTLE_S, LastMessages
from tests.support.recordings import estimate_at, health_of, meta_of, voice_at

ALL = (b"",)
META, HEALTH = meta_of("clip", live=True), health_of("clip")


def after(*sent: Message) -> LastMessages:
    last = LastMessages()
    for message in sent:
        last.sent(message, topic_of(message), encode(message))
    return last


def due(last: LastMessages, now_s: float) -> list[str]:
    """Topics that are repeated."""
    return [topic.decode() for topic, _ in last.due(now_s)]


def test_a_late_joiner_gets_the_last_message_of_each_topic_and_meta_first() -> None:
    last = after(estimate_at(0.0, track=2), HEALTH, estimate_at(0.0, track=1), META)
    last.subscribed((b"affect/", b"health/", b"meta/"), 10.0)
    assert due(last, 10.0 + 2 * SETTLE_S) == ["meta/clip/", "health/clip/", "affect/clip/2/", "affect/clip/1/"]
    assert due(last, 20.0) == []


def test_only_what_was_subscribed_to_is_repeated() -> None:
    last = after(META, estimate_at(0.0, track=1), estimate_at(0.0, track=2))
    last.subscribed((b"affect/clip/2/",), 10.0)
    assert due(last, 20.0) == ["affect/clip/2/"]


def test_subscriptions_that_come_one_after_the_other_are_answered_together() -> None:
    last = after(META, estimate_at(0.0, track=1))
    last.subscribed((b"affect/",), 10.0)
    assert due(last, 10.01) == []
    last.subscribed((b"meta/",), 10.015)
    assert due(last, 10.03) == []
    assert due(last, 10.04) == ["meta/clip/", "affect/clip/1/"]


def test_a_topic_is_repeated_once_in_a_while_however_often_it_is_subscribed_to() -> None:
    last = after(META)
    repeats = 0
    for step in range(1000):
        last.subscribed(ALL, 10.0 + step / 1000)
        repeats += len(last.due(10.0 + step / 1000))
    assert 1 <= repeats <= 1 / REPEAT_S
    assert due(last, 20.0) == ["meta/clip/"]


def test_who_gets_the_next_message_needs_no_repeat_of_the_last() -> None:
    last = after(META, estimate_at(0.0, track=1))
    last.subscribed(ALL, 10.0)
    newer = estimate_at(0.1, track=1)
    last.sent(newer, topic_of(newer), encode(newer))
    assert due(last, 20.0) == ["meta/clip/"]


def test_what_is_over_is_not_repeated() -> None:
    last = after(
        estimate_at(0.0, track=1),
        estimate_at(0.0, track=2),
        estimate_at(0.0, stream="door"),
        Event(stream="clip", t_ns=0, event="track_lost", track=1),
    )
    last.subscribed(ALL, 10.0)
    for event in (Event(stream="door", t_ns=0, event="source_lost"), Event(stream="clip", t_ns=0, event="track_born")):
        last.sent(event, topic_of(event), encode(event))
    assert due(last, 20.0) == ["affect/clip/2/"]


def test_what_was_heard_last_is_repeated_until_the_source_has_ended() -> None:
    last = after(voice_at(1.0), META)
    last.subscribed(ALL, 10.0)
    assert due(last, 20.0) == ["meta/clip/", "voice/clip/"]
    last.sent(Event(stream="clip", t_ns=0, event="source_ended"), b"event/clip/", b"{}")
    last.subscribed(ALL, 30.0)
    assert due(last, 40.0) == ["meta/clip/"]
