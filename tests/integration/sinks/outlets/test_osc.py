"""Open Sound Control, as a receiver in another process understands it that knows nothing but the specification."""

import socket
from contextlib import AbstractContextManager

import pytest

from streamaffect.errors import OutletError
from streamaffect.settings import OscSettings
from streamaffect.sinks.outlets.osc.outlet import OscOutlet
from streamaffect.sinks.thread import SinkThread
from tests.support.outlets.live import estimate, event, meta, running, wait_until
from tests.support.outlets.processes import Process, free_port
from tests.support.recordings import estimate_at, health_of, meta_of, voice_at


def sending_to(receiver: Process) -> AbstractContextManager[SinkThread]:
    return running(OscOutlet(OscSettings(address=f"127.0.0.1:{receiver.first}")))


def test_a_receiver_gets_values_events_and_health_at_their_capture_times() -> None:
    with Process("osc_receiver") as receiver:
        sent = estimate(track=3)
        marker = event("track_born", track=3)
        with sending_to(receiver) as sink:
            for message in (meta(), marker, sent, voice_at(1.0, stream="webcam"), health_of("webcam")):
                sink.put(message)
            born, values, voice, health = receiver.json_until(
                lambda one: one["messages"][0][0] == "/health/webcam/state"
            )
    assert born["messages"] == [["/event/webcam", "track_born", 3, ""]]
    said = {address: arguments for address, *arguments in values["messages"]}
    assert said["/affect/webcam/3/status"] == ["ok"]
    assert said["/affect/webcam/3/valence"] == pytest.approx([0.31])
    assert said["/affect/webcam/3/arousal_interval"] == pytest.approx([-0.35, 0.1])
    assert said["/affect/webcam/3/emotions/happiness"] == pytest.approx([0.62])
    assert said["/affect/webcam/3/box"] == pytest.approx([0.41, 0.22, 0.18, 0.3])
    assert values["at_s"] == pytest.approx(sent.t_capture_ns / 1e9, abs=1e-5)
    assert ["/health/webcam/faces", 1] in health["messages"]
    assert voice["messages"][:2] == [["/voice/webcam/state", "heard"], ["/voice/webcam/face", -1]]
    assert voice["messages"][3] == ["/voice/webcam/arousal", 0.25]


def test_a_recording_has_no_time_tags_of_now() -> None:
    with Process("osc_receiver") as receiver:
        with running(OscOutlet(OscSettings(address=f"127.0.0.1:{receiver.first}"), replays=True)) as sink:
            sink.put(meta())
            sink.put(estimate())
        (line,) = receiver.json_until(lambda _: True)
    assert line["at_s"] is None


def test_names_and_labels_of_any_characters_arrive_and_break_no_address() -> None:
    stream = "caméra#1*{a}"
    with Process("osc_receiver") as receiver, sending_to(receiver) as sink:
        sink.put(meta(stream))
        sink.put(estimate(stream))
        sink.put(event("marker", stream, label="Übung 1 * ?"))
        values, marker = receiver.json_until(lambda line: line["messages"][0][1] == "marker")
    assert values["messages"][0] == ["/affect/caméra_1__a_/3/status", "ok"]
    assert marker["messages"] == [["/event/caméra_1__a_", "marker", -1, "Übung 1 * ?"]]


def test_where_there_is_no_value_there_is_no_message_and_a_file_is_for_now() -> None:
    with Process("osc_receiver") as receiver, sending_to(receiver) as sink:
        sink.put(meta_of("clip", live=False))
        sink.put(
            estimate_at(1.0, status="abstain", valence=None, arousal=None, valence_interval=None, arousal_interval=None)
        )
        (line,) = receiver.json_until(lambda _: True)
    assert line["at_s"] is None
    assert [address for address, *_ in line["messages"]] == [
        "/affect/clip/3/status",
        "/affect/clip/3/quality",
        "/affect/clip/3/box",
    ]


def test_with_places_an_address_stays_where_a_receiver_was_wired_to_it() -> None:
    with Process("osc_receiver") as receiver:
        settings = OscSettings(address=f"127.0.0.1:{receiver.first}", faces="slots", slots=1)
        with running(OscOutlet(settings)) as sink:
            for message in (
                meta(),
                estimate(track=7),
                estimate(track=8),  # there is no second place
                event("track_lost", track=7),
                estimate(track=9),
                event("source_ended"),
            ):
                sink.put(message)
            lines = receiver.json_until(lambda line: line["messages"][0][1] == "source_ended")
    assert [line["messages"][0] for line in lines] == [
        ["/affect/webcam/1/status", "ok"],
        ["/event/webcam", "track_lost", 1, ""],
        ["/affect/webcam/1/status", "ok"],
        ["/event/webcam", "source_ended", -1, ""],
    ]


def test_what_is_too_much_for_one_datagram_comes_in_several_with_one_time() -> None:
    many = {f"head{head}": {f"output{i}": i / 10 for i in range(10)} for head in range(10)}
    with Process("osc_receiver") as receiver, sending_to(receiver) as sink:
        sink.put(meta())
        sink.put(estimate(outputs=many))
        lines = receiver.json_until(lambda line: line["messages"][-1][0].endswith("/head9/output9"))
    assert len(lines) > 2
    assert max(line["size"] for line in lines) <= 1400
    assert len({line["at_s"] for line in lines}) == 1
    assert sum(len(line["messages"]) for line in lines) == 7 + 100


def test_a_receiver_that_is_not_there_is_told_and_gets_everything_once_it_is() -> None:
    port = free_port(socket.SOCK_DGRAM)
    outlet = OscOutlet(OscSettings(address=f"127.0.0.1:{port}"))
    with running(outlet) as sink:
        sink.put(meta())

        def is_told() -> bool:
            sink.put(estimate())
            return bool(sink.fault)

        wait_until(is_told)
        assert sink.fault == f"nobody listens at 127.0.0.1:{port}"
        wait_until(lambda: sink.queued == 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", port))
            receiver.settimeout(60)
            for _ in range(3):
                sink.put(estimate())
                assert receiver.recv(65_536).startswith(b"#bundle\0")
        assert outlet.lost == 0


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("9000", "osc.address '9000': expected HOST:PORT, for instance 127.0.0.1:9000"),
        ("127.0.0.1:http", "expected HOST:PORT"),
        ("127.0.0.1:99999", "expected HOST:PORT"),
        ("no-such-host.invalid:9000", "osc.address no-such-host.invalid:9000: unknown host no-such-host.invalid"),
        ("255.255.255.255:9000", "cannot be sent to"),
    ],
)
def test_an_address_that_cannot_be_sent_to_is_refused(address: str, complaint: str) -> None:
    with pytest.raises(OutletError, match=complaint.replace(".", r"\.").replace("'", ".")):
        OscOutlet(OscSettings(address=address))
