"""A package that is not installed is named with the command that installs it."""

import sys
from collections.abc import Callable

import pytest

from streamaffect.errors import OutletError
from streamaffect.settings import LslSettings, MetricsSettings, MqttSettings, OscSettings
from streamaffect.sinks.base import Sink
from streamaffect.sinks.outlets.lsl.outlet import LslOutlet
from streamaffect.sinks.outlets.metrics.families import Instruments
from streamaffect.sinks.outlets.metrics.outlet import MetricsOutlet
from streamaffect.sinks.outlets.mqtt.outlet import MqttOutlet
from streamaffect.sinks.outlets.osc.outlet import OscOutlet

SILENT = Instruments(latencies=dict, subscribers=int, queued=dict, dropped=dict, faults=dict)


@pytest.mark.parametrize(
    ("module", "extra", "opened"),
    [
        ("pylsl", "lsl", lambda: LslOutlet(LslSettings(enabled=True))),
        ("pythonosc", "osc", lambda: OscOutlet(OscSettings(address="127.0.0.1:9000"))),
        ("paho", "mqtt", lambda: MqttOutlet(MqttSettings(url="mqtt://127.0.0.1"))),
        ("prometheus_client", "metrics", lambda: MetricsOutlet(MetricsSettings(bind="127.0.0.1:0"), SILENT)),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    module: str, extra: str, opened: Callable[[], Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(OutletError) as refused:
        opened()
    assert str(refused.value) == (
        f"--{extra} needs the package {module}, which is not installed; run: pip install 'streamaffect[{extra}]'"
    )
