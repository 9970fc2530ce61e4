"""An outlet in a process that is going to be killed: `python -m tests.support.outlets.mqtt_victim PORT`."""

import sys

from streamaffect.settings import MqttSettings
from streamaffect.sinks.outlets.mqtt.outlet import MqttOutlet


def main() -> None:
    MqttOutlet(MqttSettings(url=f"mqtt://127.0.0.1:{sys.argv[1]}"))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
