"""What waits for a broker: the newest state of each topic, and events up to a bound."""

from streamaffect.sinks.outlets.mqtt.outbox import Outbox, Publication


def taken(outbox: Outbox) -> list[bytes]:
    found = []
    while (publication := outbox.take()) is not None:
        found.append(publication.payload)
    return found


def test_of_a_state_only_the_newest_waits_and_no_replaced_one_is_lost() -> None:
    outbox = Outbox()
    for payload in (b"1", b"2", b"3"):
        outbox.put(Publication("face", payload, retain=True))
    assert taken(outbox) == [b"3"]
    assert (outbox.lost, outbox.is_empty) == (0, True)


def test_states_go_before_events_and_events_in_their_order() -> None:
    outbox = Outbox()
    outbox.put(Publication("event", b"a", qos=1))
    outbox.put(Publication("event", b"b", qos=1))
    outbox.put(Publication("health", b"h", retain=True))
    assert taken(outbox) == [b"h", b"a", b"b"]


def test_beyond_the_bound_the_oldest_event_is_dropped_and_counted() -> None:
    outbox = Outbox(most=2)
    for number in range(5):
        outbox.put(Publication("event", b"%d" % number, qos=1))
    assert taken(outbox) == [b"3", b"4"]
    assert outbox.lost == 3


def test_a_broker_that_has_forgotten_them_gets_all_states_again() -> None:
    outbox = Outbox()
    for topic in ("a", "b"):
        outbox.put(Publication(topic, topic.encode(), retain=True))
    assert taken(outbox) == [b"a", b"b"]
    outbox.again()
    assert taken(outbox) == [b"a", b"b"]
