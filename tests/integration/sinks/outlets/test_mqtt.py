"""MQTT with a real broker in one process and a client of another make in a second one."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from streamaffect.settings import MqttSettings
from streamaffect.sinks.outlets.mqtt.outlet import MqttOutlet
from streamaffect.sinks.thread import SinkThread
from tests.support.outlets.live import estimate, event, meta, running, wait_until
from tests.support.outlets.processes import Process, free_port
from tests.support.recordings import health_of, voice_at

PASSWORD = "Geh3im!nis"
DEVICE = "homeassistant/device/streamaffect_webcam/config"


@contextmanager
def connected(port: int, **changes: Any) -> Iterator[SinkThread]:
    with running(MqttOutlet(MqttSettings(url=f"mqtt://127.0.0.1:{port}", **changes))) as sink:
        wait_until(lambda: not sink.fault)
        yield sink


def on(topic: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line["topic"] == topic


def payload(line: dict[str, Any]) -> Any:
    return json.loads(line["payload"])


def test_states_are_kept_for_who_comes_later_events_are_not_and_a_face_that_left_is_absent() -> None:
    port = free_port()
    with Process("mqtt_broker", str(port)), connected(port, rate=0.0) as sink:
        with Process("mqtt_listener", str(port), "#") as listener:
            sink.put(meta())
            sink.put(estimate(track=4, valence=0.25))
            sink.put(voice_at(1.0, stream="webcam"))
            sink.put(event("track_born", track=4))
            listener.json_until(on("streamaffect/webcam/event"))
        with Process("mqtt_listener", str(port), "#") as late:
            sink.put(health_of("webcam"))
            lines = late.json_until(on("streamaffect/webcam/health"))
            sink.put(event("track_lost", track=4))
            gone = late.json_until(on("streamaffect/webcam/face1"))
    kept = {line["topic"]: line for line in lines if line["retain"]}
    assert kept["streamaffect/status"]["payload"] == "online"
    state = payload(kept["streamaffect/webcam/face1"])
    assert (state["track"], state["status"], state["valence"], state["valence_interval"]) == (
        4,
        "ok",
        0.25,
        [0.12, 0.48],
    )
    assert state["outputs"]["emotions"]["happiness"] == 0.62
    assert payload(kept["streamaffect/webcam/voice"])["arousal"] == 0.25
    assert "streamaffect/webcam/event" not in kept
    assert payload(lines[-1])["kind"] == "health"
    assert payload(gone[-1])["status"] == "absent"
    assert payload(gone[-1])["valence"] is None


def test_a_stream_whose_name_is_no_topic_gets_one_and_stops_nothing() -> None:
    port = free_port()
    with Process("mqtt_broker", str(port)) as broker, connected(port) as sink:
        sink.put(meta("a+b#"))
        sink.put(estimate("a+b#"))
        sink.put(event("marker", "a+b#", label="#+"))
        lines = broker.json_until(on("streamaffect/a_b_/event"))
    assert payload(lines[-1])["stream"] == "a+b#"
    topics = {line["topic"] for line in lines}
    assert {"streamaffect/a_b_/face1", "homeassistant/device/streamaffect_a_b_/config"} <= topics


def test_home_assistant_finds_a_device_whose_topics_and_templates_fit_what_is_sent() -> None:
    port = free_port()
    with (
        Process("mqtt_broker", str(port)),
        Process("mqtt_listener", str(port), "homeassistant/#", "streamaffect/#") as home,
        connected(port, slots=2) as sink,
    ):
        sink.put(meta())
        sink.put(health_of("webcam"))
        lines = home.json_until(on("streamaffect/webcam/health"))
    sent = {line["topic"]: line for line in lines}
    device = payload(sent[DEVICE])
    assert device["device"]["identifiers"] == ["streamaffect_webcam"]
    assert sent[device["availability"][0]["topic"]]["payload"] == "online"
    assert device["origin"]["name"] == "streamaffect"
    components = device["components"]
    assert len({one["unique_id"] for one in components.values()}) == len(components) == 9
    for component in components.values():
        state = payload(sent[component["state_topic"]])
        key = component["value_template"].partition("value_json.")[2].split()[0]
        assert key in state, component


def test_a_broker_that_goes_away_is_told_and_gets_the_newest_state_and_all_events_once_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    with running(MqttOutlet(MqttSettings(url=f"mqtt://127.0.0.1:{port}", rate=0.0))) as sink:
        wait_until(lambda: sink.fault == f"no broker listens at 127.0.0.1:{port}")
        with Process("mqtt_broker", str(port)) as broker:
            wait_until(lambda: not sink.fault)
            sink.put(meta())
            broker.json_until(on(DEVICE))
            broker.kill()
            wait_until(lambda: bool(sink.fault))
        for number in range(5):
            sink.put(estimate(valence=number / 10))
            sink.put(event("track_born", track=number))
        wait_until(lambda: sink.queued == 0)
        with Process("mqtt_broker", str(port)) as broker:
            lines = broker.json_until(lambda line: line["topic"].endswith("event") and payload(line)["track"] == 4)
    assert DEVICE in {line["topic"] for line in lines}  # the broker had forgotten it
    states = [payload(line) for line in lines if line["topic"].endswith("face1")]
    assert {state["valence"] for state in states if state["status"] == "ok"} == {0.4}
    assert sink.dropped == 0
    assert caplog.text.count(f"no broker listens at 127.0.0.1:{port}") <= 2
    assert f"mqtt: connected to 127.0.0.1:{port}" in caplog.text


def test_events_for_a_broker_that_never_comes_take_bounded_room_and_are_counted() -> None:
    with running(MqttOutlet(MqttSettings(url=f"mqtt://127.0.0.1:{free_port()}"))) as sink:
        for number in range(1500):
            sink.put(event("track_born", track=number))
        wait_until(lambda: sink.dropped == 500)


def test_a_process_that_dies_is_offline_and_one_that_ends_says_so_itself() -> None:
    port = free_port()
    with Process("mqtt_broker", str(port)), Process("mqtt_listener", str(port), "streamaffect/status") as listener:
        with connected(port):
            pass
        assert [line["payload"] for line in listener.json_until(lambda line: line["payload"] == "offline")][-2:] == [
            "online",
            "offline",
        ]
        with Process("mqtt_victim", str(port)) as victim:
            listener.json_until(lambda line: line["payload"] == "online")
            victim.kill()
        assert listener.json_until(lambda line: line["payload"] == "offline")


def test_over_tls_with_a_password_from_a_file_and_a_certificate_that_is_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port, files = free_port(), _files(tmp_path)
    url = f"mqtts://lab@127.0.0.1:{port}"
    good = MqttSettings(url=url, password_file=str(tmp_path / "password"), ca_file=str(tmp_path / "ca.pem"))
    with Process("mqtt_broker", str(port), *files):
        with running(MqttOutlet(good)) as sink:
            wait_until(lambda: not sink.fault)
        (tmp_path / "wrong").write_text("guess")
        for settings, complaint in (
            (MqttSettings(url=url, password_file=good.password_file), "its certificate is not accepted"),
            (MqttSettings(url=url, password_file=str(tmp_path / "wrong"), ca_file=good.ca_file), "refuses: "),
        ):
            with running(MqttOutlet(settings)) as sink:
                wait_until(lambda sink=sink, complaint=complaint: complaint in sink.fault)
    assert PASSWORD not in caplog.text + repr(sink.__dict__)


def test_what_speaks_no_tls_is_told_from_what_does(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"mqtts://127.0.0.1:{server.getsockname()[1]}"
        with running(MqttOutlet(MqttSettings(url=url))) as sink:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                wait_until(lambda: "no TLS there" in sink.fault)
    assert "no TLS there" in caplog.text


def _files(folder: Path) -> list[str]:
    """Certificate and key of a broker, and its file of passwords; beside them what a client needs."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("127.0.0.1")
    server.private_key_pem.write_to_path(folder / "key.pem")
    server.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "passwords").write_text(f"lab:{PasswordHash((Argon2Hasher(),)).hash(PASSWORD)}\n")
    return [str(folder / name) for name in ("cert.pem", "key.pem", "passwords")]
