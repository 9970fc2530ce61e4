"""Where a broker is: what is understood, and what is refused in one line without the password."""

from pathlib import Path
from typing import Any

import pytest

from streamaffect.errors import OutletError
from streamaffect.settings import MqttSettings
from streamaffect.sinks.outlets.mqtt.broker import broker_of
from streamaffect.sinks.outlets.mqtt.outlet import MqttOutlet


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "password"),
    [
        ("mqtt://home", "home", 1883, "", ""),
        ("mqtts://home/", "home", 8883, "", ""),
        ("mqtt://lab@10.0.0.2:1999", "10.0.0.2", 1999, "lab", ""),
        ("mqtt://lab:a%40b%3Ac@[::1]:1883", "::1", 1883, "lab", "a@b:c"),
    ],
)
def test_a_url_has_host_port_user_and_password(url: str, host: str, port: int, user: str, password: str) -> None:
    broker = broker_of(MqttSettings(url=url))
    assert (broker.host, broker.port, broker.user, broker.password) == (host, port, user, password)
    assert (broker.tls is not None) == url.startswith("mqtts")
    assert not password or password not in repr(broker)


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret \nsecond\n")
    broker = broker_of(MqttSettings(url="mqtt://lab@127.0.0.1", password_file=str(tmp_path / "password")))
    assert broker.password == "s3cret"
    assert not broker.shows_password
    assert broker_of(MqttSettings(url="mqtt://lab:pw@10.0.0.2")).shows_password


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"url": "10.0.0.2"}, "mqtt.url '10.0.0.2': expected mqtt://"),
        ({"url": "http://10.0.0.2"}, "expected mqtt://"),
        ({"url": "mqtt://"}, "expected mqtt://"),
        ({"url": "mqtt://host:port"}, "expected mqtt://"),
        ({"url": "mqtt://host/topic"}, "topics begin with mqtt.prefix"),
        ({"url": "mqtt://:hush@host"}, "a password needs a user"),
        ({"url": "mqtt://u@host", "password_file": "none/there"}, "mqtt.password_file none/there: no such file"),
        ({"url": "mqtt://u@host", "password_file": "/dev/zero"}, "mqtt.password_file /dev/zero: no such file"),
        ({"url": "mqtt://u:hush@host", "password_file": "x"}, "the URL has a password too"),
        ({"url": "mqtt://host", "ca_file": "ca.pem"}, "mqtt.ca_file is set, and mqtt:// is not encrypted"),
        ({"url": "mqtts://host", "ca_file": "none.pem"}, "mqtt.ca_file none.pem: no such file"),
        ({"url": "mqtts://host", "ca_file": __file__}, "holds no certificate or key in PEM form"),
        ({"url": "mqtts://host", "cert_file": "c.pem"}, "belong together"),
        ({"url": "mqtts://host", "cert_file": "c.pem", "key_file": "k.pem"}, "mqtt.cert_file c.pem: no such file"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_without_the_password(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OutletError) as refused:
        broker_of(MqttSettings(**settings))
    assert complaint in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("settings", [{"prefix": "a/#"}, {"prefix": ""}, {"prefix": "/a"}, {"discovery": "home+"}])
def test_a_prefix_is_a_topic(settings: dict[str, Any]) -> None:
    with pytest.raises(OutletError, match=r"expected a topic without \+ and #"):
        MqttOutlet(MqttSettings(url="mqtt://127.0.0.1:1", **settings))
