"""An MQTT client of another make in a process of its own: `python -m tests.support.outlets.mqtt_listener PORT FILTER…`.

It prints each message as a JSON line, and ends with its standard input.
"""

import asyncio
import json
import sys

from amqtt.client import MQTTClient


async def main() -> None:
    client = MQTTClient()
    await client.connect(f"mqtt://127.0.0.1:{sys.argv[1]}/")
    await client.subscribe([(topic, 1) for topic in sys.argv[2:]])
    _say({"topic": "", "payload": "ready", "retain": False})
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    heard = asyncio.create_task(_listen(client))
    await ended
    heard.cancel()


async def _listen(client: MQTTClient) -> None:
    while True:
        message = await client.deliver_message()
        assert message is not None
        assert message.publish_packet is not None
        _say(
            {
                "topic": message.topic,
                "payload": bytes(message.data or b"").decode(),
                "retain": message.publish_packet.retain_flag,
            }
        )


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
