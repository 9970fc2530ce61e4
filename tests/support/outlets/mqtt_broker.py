"""A real broker in a process of its own: `python -m tests.support.outlets.mqtt_broker PORT [CERT KEY PASSWORDS]`.

With certificate and key it speaks TLS alone, and lets in who stands in the file of passwords. On standard output it
says "ready", and then prints each message that it is sent as a JSON line. It ends with its standard input.
"""

import asyncio
import json
import sys
from typing import Any

from amqtt.broker import Broker
from amqtt.plugins.base import BasePlugin


class Printer(BasePlugin[Any]):  # type: ignore[misc]
    """Prints what the broker is sent."""

    async def on_broker_message_received(self, *, message: Any, **_: Any) -> None:
        line = {"topic": message.topic, "payload": bytes(message.data or b"").decode()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


AUTHENTICATION = "amqtt.plugins.authentication"


def settings(port: str, files: list[str]) -> dict[str, object]:
    listener: dict[str, object] = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    plugins: dict[str, object] = {f"{AUTHENTICATION}.AnonymousAuthPlugin": {"allow_anonymous": True}}
    if files:
        certificate, key, passwords = files
        listener |= {"ssl": True, "certfile": certificate, "keyfile": key}
        plugins = {f"{AUTHENTICATION}.FileAuthPlugin": {"password_file": passwords}}
    plugins["tests.support.outlets.mqtt_broker.Printer"] = {}
    return {"listeners": {"default": listener}, "plugins": plugins}


async def main() -> None:
    broker = Broker(settings(sys.argv[1], sys.argv[2:]))
    await broker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
